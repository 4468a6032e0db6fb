import ArgumentParser
import Logging
import ProcessSupport
import Testing

@testable import Settings

@Suite struct ClusterSettingsTests {
    private func cluster(_ arguments: [String], environment: [String: String] = [:]) throws -> ClusterSettings {
        try ClusterSettings(ClusterOptions.parse(arguments).given, environment: environment)
    }

    @Test func upPassesItsSettingsOnToItsChildren() throws {
        let settings = try cluster([
            "--workers", "2", "--locator-workers", "3", "--decode-threads", "4", "--client-endpoint", "ipc:///tmp/a",
            "--insecure", "--threads", "2", "--log-level",
            "debug", "--http-port", "0", "--banks", "b", "--trust", "t.pem",
        ])
        #expect(settings.workersPerModel == 2 && settings.locatorWorkers == 3 && settings.decodeThreads == 4)
        #expect(settings.routerArguments == ["--client-endpoint=ipc:///tmp/a", "--insecure", "--log-level=debug"])
        #expect(
            settings.workerArguments == [
                "--trust=t.pem", "--banks=b", "--threads=2", "--decode-threads=4", "--log-level=debug",
            ])
        #expect(settings.banks == "b")
        #expect(settings.gatewayArguments == ["--http-port=0", "--insecure", "--log-level=debug"])
        // The children must read the same values from the arguments that 'up' passes on.
        let router = try RouterSettings(RouterOptions.parse(settings.routerArguments).given, environment: [:])
        #expect(router.clientEndpoint == settings.router.clientEndpoint && router.insecure && settings.router.insecure)
        #expect(router.logLevel == .debug && settings.router.logLevel == .debug)
        let arguments = settings.workerArguments + ["--model=m"]
        let worker = try WorkerSettings(WorkerOptions.parse(arguments).given, environment: [:])
        #expect(worker.threads == 2 && worker.decodeThreads == 4)
    }

    @Test(arguments: ["--model", "--evidence", "--router", "--name", "--resolve-interval"])
    func upRefusesOptionsThatItSetsForEachChild(option: String) {
        #expect(throws: (any Error).self) { try ClusterOptions.parse([option, "1s"]) }
    }

    @Test func aTemporaryClusterInheritsOnlyTheKeysOfItsCommand() throws {
        let given = try ClientOptions.parse(["--keys=k", "--image-bytes=7"]).given
        let settings = try ClusterSettings.temporary(folder: "/tmp/a", given, environment: [:])
        #expect(
            settings.routerArguments
                == [
                    "--client-endpoint=ipc:///tmp/a/clients", "--worker-endpoint=ipc:///tmp/a/workers", "--keys=k",
                    "--log-level=error",
                ])
        #expect(settings.gatewayArguments == nil && settings.clientPeer == "ipc:///tmp/a/clients")
    }

    @Test func upStartsEnoughWorkersForAllCoresUnlessANumberIsSet() throws {
        #expect(try cluster([]).workersPerModel == min(256, Processors.usable))
        #expect(try cluster(["--threads", "256"]).workersPerModel == 1)
        #expect(try cluster(["--threads", "256", "--workers", "5"]).workersPerModel == 5)
    }

    @Test func upReportsInvalidSettingsOfWorkersAndGateway() {
        #expect(throws: SettingsError.self) { try cluster(["--http-port", "none"]) }
        #expect(throws: SettingsError.self) { try cluster(["--threads", "none"]) }
        #expect(throws: SettingsError.self) { try cluster([], environment: ["BIFRONS_MAX_BATCH": "0"]) }
    }

    @Test(arguments: [
        ("tcp://*:1", "tcp://127.0.0.1:1"), ("tcp://0.0.0.0:1", "tcp://127.0.0.1:1"), ("tcp://[::]:1", "tcp://[::1]:1"),
        ("tcp://10.0.0.1:1", "tcp://10.0.0.1:1"), ("ipc:///a", "ipc:///a"),
    ])
    func workersConnectWhereTheRouterListens(_ endpoint: String, _ peer: String) throws {
        #expect(try cluster(["--worker-endpoint", endpoint, "--insecure"]).workerPeer == peer)
    }

    @Test func upRefusesAPortChosenByTheSystem() {
        #expect(throws: SettingsError.self) { try cluster(["--client-endpoint", "tcp://127.0.0.1:*"]) }
    }
}
