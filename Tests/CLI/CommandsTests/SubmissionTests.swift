import BifronsClient
import BifronsWire
import Settings
import Testing

@testable import Commands

@Suite struct SubmissionTests {
    @Test func optionsAreMadeFromTheSettings() throws {
        let environment = [
            "BIFRONS_BUDGET_MS": "100", "BIFRONS_POLICY": "strict", "BIFRONS_MODELS": "a,b", "BIFRONS_REQUIRE": "all",
            "BIFRONS_PRIORITY": "9",
        ]
        let options = try Submission.options(try ClientSettings(environment: environment))
        #expect(
            try options
                == ClassifyOptions(
                    models: ["a", "b"], requirement: .all, policy: "strict", budget: .milliseconds(100), priority: 9))
        #expect(try Submission.options(try ClientSettings(environment: [:])) == ClassifyOptions())
    }

    @Test func invalidSettingsAreRefusedBeforeAnythingIsSent() throws {
        let models = (1...17).map { "m\($0)" }.joined(separator: ",")
        let settings = try ClientSettings(environment: ["BIFRONS_MODELS": models])
        let error = #expect(throws: CommandError.self) { try Submission.options(settings) }
        #expect(error == CommandError("the field 'models' must name 1 to 16 models", status: 2))
    }

    @Test func theExitStatusDistinguishesFailuresFromAMissingService() {
        func status(_ statuses: [Status]) -> Int32 {
            var tally = Tally()
            for status in statuses { tally.count(status) }
            return tally.exitStatus
        }
        #expect(status([]) == 0)
        #expect(status([.ok, .partial]) == 0)
        #expect(status([.ok, .unprocessable]) == 1)
        #expect(status([.ok, .unavailable]) == 1)
        #expect(status([.unavailable, .unavailable]) == 69)
        #expect(status([.unavailable, .unprocessable]) == 1)
    }

    @Test func failuresWithoutAnAnswerAreReportedAsResults() {
        let late = Submission.failure(ClientError(.noAnswer, "late"))
        #expect(late.document.status == .timeout)
        #expect(
            String(decoding: late.bytes, as: UTF8.self)
                == #"{"status":408,"error":{"code":"no_answer","message":"late"}}"#)
        #expect(Submission.failure(ClientError(.noRouter, "none")).document.status == .unavailable)
        #expect(
            Submission.failure(ImageSource.ReadError(code: "image_too_large", message: "")).document.status == .tooLarge
        )
    }
}
