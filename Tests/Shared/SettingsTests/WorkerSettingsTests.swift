import ArgumentParser
import ProcessSupport
import Testing

@testable import Settings

@Suite struct WorkerSettingsTests {
    private func worker(_ arguments: [String], environment: [String: String] = [:]) throws -> WorkerSettings {
        try WorkerSettings(WorkerOptions.parse(arguments).given, environment: environment)
    }

    @Test func workerNeedsAModelOrAKindOfEvidence() {
        let error = #expect(throws: SettingsError.self) { try worker([]) }
        #expect(
            error?.description
                == "neither a model nor a kind of evidence is set; give --model or --evidence, BIFRONS_MODEL or "
                + "BIFRONS_EVIDENCE, or 'model' or 'evidence' in the file of --config")
    }

    @Test func workerServesAModelOrFindsOneKindOfEvidence() throws {
        #expect(try worker(["--model", "m"]).task() == .model("m"))
        #expect(try worker(["--evidence", "provenance"]).task() == .provenance(trust: nil))
        #expect(try worker(["--evidence", "provenance", "--trust", "t"]).task() == .provenance(trust: "t"))
        #expect(try worker(["--evidence", "known", "--banks", "b"]).task() == .known(banks: "b"))
        // 'bifrons up' gives all its workers the same settings.
        #expect(try worker(["--model", "m", "--trust", "t", "--banks", "b"]).task() == .model("m"))
        let kind = #expect(throws: SettingsError.self) { try worker(["--evidence", "seal"]) }
        #expect(kind?.description == "--evidence is 'seal'; it must be provenance or known")
        let banks = #expect(throws: SettingsError.self) {
            try worker([], environment: ["BIFRONS_EVIDENCE": "known"])
        }
        #expect(
            banks?.description
                == "BIFRONS_EVIDENCE in the environment is 'known', which needs the folder of banks.json; give --banks, "
                + "BIFRONS_BANKS or 'banks' in the file of --config")
    }

    @Test func modelAndEvidenceContradictEachOtherOnlyInOneSource() throws {
        let error = #expect(throws: SettingsError.self) { try worker(["--model", "m", "--evidence", "provenance"]) }
        #expect(
            error?.description
                == "--evidence is 'provenance' and --model is 'm', but a worker does one or the other; remove one of them"
        )
        #expect(
            try worker(["--evidence", "provenance"], environment: ["BIFRONS_MODEL": "m"]).task()
                == .provenance(trust: nil))
        #expect(try worker(["--model", "m"], environment: ["BIFRONS_EVIDENCE": "known"]).task() == .model("m"))
    }

    @Test func severalRoutersMayBeGiven() throws {
        let given = try worker(["--model", "m", "--router", "tcp://a:1", "--router", "ipc:///b"])
        #expect(given.routers == ["tcp://a:1", "ipc:///b"])
        let inherited = try worker(["--model", "m"], environment: ["BIFRONS_ROUTER": "tcp://a:1,ipc:///b"])
        #expect(inherited.routers == ["tcp://a:1", "ipc:///b"])
        #expect(try worker(["--model", "m"]).routers == ["tcp://127.0.0.1:5556"])
    }

    @Test func workerEntersItsSandboxUnlessToldOtherwise() throws {
        #expect(try worker(["--model", "m"]).sandbox == .bestEffort)
        #expect(try worker(["--model", "m", "--sandbox", "required"]).sandbox == .required)
        #expect(try worker(["--model", "m"], environment: ["BIFRONS_SANDBOX": "off"]).sandbox == .off)
        let error = #expect(throws: SettingsError.self) { try worker(["--model", "m", "--sandbox", "on"]) }
        #expect(error?.description == "--sandbox is 'on'; it must be required or best-effort or off")
    }

    @Test func onlyAWorkerAcceptsDNSRouters() throws {
        let followed = try worker(["--model", "m", "--router", "dns://routers:5556", "--resolve-interval", "1s"])
        #expect(followed.routers == ["dns://routers:5556"] && followed.resolveInterval == .seconds(1))
        let error = #expect(throws: SettingsError.self) {
            try GatewaySettings(environment: ["BIFRONS_ROUTER": "dns://a:1"])
        }
        #expect(error?.setting == "router")
    }

    @Test(
        arguments: [
            "tcp://*:1", "tcp://a:*", "tcp://a:1,b", ",", "dns://a", "dns://:1", "dns://*:1", "dns://a:0",
            "dns://[::1]:1", "dns://::1:1",
        ])
    func invalidRouterEndpointsAreRefused(_ text: String) {
        let error = #expect(throws: SettingsError.self) { try worker(["--model", "m", "--router", text]) }
        #expect(error?.setting == "router")
    }

    @Test func decodeThreadsDefaultToTheUsableProcessors() throws {
        #expect(try worker(["--model", "m"]).decodeThreads == Processors.usable)
        #expect(try worker(["--model", "m"], environment: ["BIFRONS_DECODE_THREADS": "7"]).decodeThreads == 7)
        #expect(throws: SettingsError.self) { try worker(["--model", "m", "--decode-threads", "0"]) }
    }

    @Test func commaInAPathOfTheEnvironmentIsKept() throws {
        #expect(try worker([], environment: ["BIFRONS_MODEL": "/a,b"]).model == "/a,b")
    }

    @Test func cacheFolderFollowsXDG() throws {
        let model = ["--model", "m"]
        #expect(try worker(model).cacheFolder == nil)
        #expect(try worker(model, environment: ["HOME": "/home/a"]).cacheFolder == "/home/a/.cache/bifrons")
        let both = ["HOME": "/home/a", "XDG_CACHE_HOME": "/cache"]
        #expect(try worker(model, environment: both).cacheFolder == "/cache/bifrons")
        #expect(try worker(model + ["--cache-folder", "/c"], environment: both).cacheFolder == "/c")
    }
}
