import ArgumentParser
import FoundationEssentials
import Logging
import Testing

@testable import Settings

@Suite struct SettingsLayersTests {
    /// A file that is deleted together with this object.
    private final class TemporaryFile {
        let path = "/tmp/bifrons-settings-\(UUID().uuidString).json"

        init(_ text: String) throws {
            try Data(text.utf8).write(to: URL(filePath: path))
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private func router(
        _ arguments: [String] = [], environment: [String: String] = [:]
    ) throws -> RouterSettings {
        try RouterSettings(RouterOptions.parse(arguments).given, environment: environment)
    }

    private func refusal(_ arguments: [String] = [], environment: [String: String] = [:]) -> String? {
        do {
            _ = try router(arguments, environment: environment)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func theDefaultsApplyWithoutAnySettings() throws {
        let settings = try router()
        #expect(settings.clientEndpoint == "tcp://127.0.0.1:5555")
        #expect(settings.workerEndpoint == "tcp://127.0.0.1:5556")
        #expect(settings.maxJobs == 4096)
        #expect(settings.maxBytes == 512 << 20)
        #expect(settings.imageBytes == 20_000_000)
        #expect(settings.heartbeat == .milliseconds(500))
        #expect(settings.idempotencyRetention == .seconds(600))
        #expect(!settings.insecure)
        #expect(settings.logLevel == .info)
    }

    @Test func commandLineOverridesEnvironmentAndEnvironmentOverridesFile() throws {
        let file = try TemporaryFile(#"{"max-jobs": 1, "max-bytes": "1GiB", "hang-timeout": "2s", "insecure": true}"#)
        let environment = ["BIFRONS_MAX_JOBS": "2", "BIFRONS_MAX_BYTES": "2GiB", "BIFRONS_CONFIG": file.path]
        let settings = try router(["--max-jobs", "3"], environment: environment)
        #expect(settings.maxJobs == 3)
        #expect(settings.maxBytes == 2 << 30)
        #expect(settings.hangTimeout == .seconds(2))
        #expect(settings.insecure)
        #expect(try !router(["--no-insecure"], environment: environment).insecure)
    }

    @Test func theConfigOptionNamesTheSettingsFile() throws {
        let file = try TemporaryFile(#"{"client-endpoint": "ipc:///tmp/bifrons.sock"}"#)
        #expect(try router(["--config", file.path]).clientEndpoint == "ipc:///tmp/bifrons.sock")
    }

    @Test(arguments: ["0", "-1", "many", "4096.5", " 1", "1000001"])
    func countOutOfRangeIsRefusedWithNameSourceAndRange(_ text: String) {
        let message = "is '\(text)'; it must be a whole number from 1 to 1000000"
        #expect(refusal(["--max-jobs=\(text)"]) == "--max-jobs \(message)")
        #expect(refusal(environment: ["BIFRONS_MAX_JOBS": text]) == "BIFRONS_MAX_JOBS in the environment \(message)")
    }

    @Test func anInvalidValueInTheFileIsReportedWithTheFile() throws {
        let file = try TemporaryFile(#"{"max-jobs": "lots"}"#)
        #expect(
            refusal(["--config", file.path])
                == "'max-jobs' in \(file.path) is 'lots'; it must be a whole number from 1 to 1000000")
    }

    @Test func unknownSettingInTheFileIsRefusedByName() throws {
        let file = try TemporaryFile(#"{"client-endpiont": "ipc:///tmp/a"}"#)
        #expect(
            refusal(["--config", file.path])
                == "there is no setting 'client-endpiont', which \(file.path) sets; did you mean 'client-endpoint'?")
    }

    @Test(arguments: [#"[]"#, #"{"max-jobs": 1"#, "", "max-jobs: 1"])
    func aFileThatIsNotAJSONObjectIsRefused(_ text: String) throws {
        let file = try TemporaryFile(text)
        #expect(refusal(["--config", file.path])?.contains("is not JSON") == true)
    }

    @Test(arguments: [#"{"max-jobs": null}"#, #"{"max-jobs": {"a": 1}}"#, #"{"max-jobs": [[1]]}"#])
    func nestedOrEmptyValuesAreRefusedByName(_ text: String) throws {
        let file = try TemporaryFile(text)
        #expect(refusal(["--config", file.path])?.hasPrefix("'max-jobs' in ") == true)
    }

    @Test func missingFileIsRefused() {
        #expect(
            refusal(["--config", "/nowhere/bifrons.json"])
                == "cannot read the settings file /nowhere/bifrons.json; check that it exists and may be read")
    }

    @Test(arguments: [
        "tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://192.168.1.2:5555", "tcp://[::]:5555", "tcp://eth0:5555",
        "tcp://127.0.0.1.example.org:5555",
    ])
    func anEndpointThatOthersCanReachNeedsKeysOrInsecure(_ endpoint: String) throws {
        #expect(
            refusal(["--client-endpoint", endpoint])
                == "--client-endpoint is \(endpoint), where other machines can connect without encryption; "
                + "listen on 127.0.0.1 or on an ipc:// path, give --keys, or allow it with --insecure")
        #expect(refusal(environment: ["BIFRONS_WORKER_ENDPOINT": endpoint]) != nil)
        #expect(try router(["--client-endpoint", endpoint, "--insecure"]).clientEndpoint == endpoint)
        #expect(try router(["--client-endpoint", endpoint, "--keys", "k"]).clientEndpoint == endpoint)
    }

    @Test(arguments: [
        "tcp://127.0.0.1:1", "tcp://localhost:*", "tcp://127.8.9.1:5555", "tcp://[::1]:5555", "ipc://@name",
    ])
    func localEndpointsNeedNoKeys(_ endpoint: String) throws {
        #expect(try router(["--client-endpoint", endpoint]).clientEndpoint == endpoint)
    }

    @Test(arguments: [
        "127.0.0.1:5555", "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536",
        "tcp://:5555",
        "http://127.0.0.1:5555", "inproc://a", "ipc://", "ipc://" + String(repeating: "x", count: 108), "tcp://a/b:1",
    ])
    func invalidEndpointsAreRefused(_ text: String) {
        #expect(
            refusal(["--client-endpoint", text])
                == "--client-endpoint is '\(text)'; it must be tcp://HOST:PORT or ipc:///PATH")
    }

    @Test func oneEndpointForClientsAndWorkersIsRefused() {
        let refusal = refusal(["--client-endpoint", "tcp://127.0.0.1:5556"])
        #expect(refusal == "the default is tcp://127.0.0.1:5556, the client-endpoint too; choose two")
    }

    @Test func aByteLimitBelowOneImageIsRefused() {
        #expect(refusal(["--max-bytes", "1MB"])?.contains("less than one image") == true)
    }

    @Test(arguments: [("500ms", 500), ("10s", 10_000), ("0.5s", 500), ("1m", 60_000), ("0.001h", 3600)])
    func durationsAreReadWithTheirUnits(_ text: String, _ milliseconds: Int) {
        #expect(Units.duration(text) == .milliseconds(milliseconds))
    }

    @Test(arguments: ["10", "s", "-1s", "1 s", "1d", "nan s", "nans", "infs", "1e300h", "0x10s", "+1s"])
    func invalidDurationsAreRefused(_ text: String) {
        #expect(Units.duration(text) == nil)
    }

    @Test func sizesAreReadWithTheirUnits() {
        #expect(Units.bytes("512MiB") == 512 << 20)
        #expect(Units.bytes("20MB") == 20_000_000)
        #expect(Units.bytes("1.5KiB") == 1536)
        #expect(Units.bytes("7B") == 7)
        #expect(Units.bytes("7") == 7)
        #expect(Units.bytes("MiB") == nil)
        #expect(Units.bytes("-1") == nil)
    }
}
