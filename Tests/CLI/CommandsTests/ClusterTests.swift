import FoundationEssentials
import Glibc
import Reactor
import Settings
import Testing

@testable import Commands

@Suite(.timeLimit(.minutes(5))) struct ClusterTests {
    /// A shell command for a child that writes its process id when it is ready and ends with status 0 on SIGTERM.
    /// (`sleep` must not inherit the descriptor, otherwise the parent would not notice the child's end.)
    /// It lives for 5 minutes, longer than the test may wait for its turn on a busy machine.
    private static let wellBehavedChild =
        "sleep 300 > /dev/null 2>&1 3>&- & trap 'kill $!; exit 0' TERM; echo $$ >&3; wait"

    private final class Running {
        let notices: AsyncStream<Cluster.Notice>
        let stops: Mailbox<Void>
        let thread: PlatformThread

        init(_ scripts: [String]) throws {
            var plan = ClusterPlan(try ClusterSettings(environment: [:]), .init(models: []), executables: "")
            plan.children = scripts.enumerated().map { index, script in
                (
                    .init(name: index == 0 ? "router" : "worker \(index)", stage: index == 0 ? .router : .workers),
                    .init(executable: "/bin/sh", arguments: ["-c", script, "sh"])
                )
            }
            let (notices, continuation) = AsyncStream.makeStream(of: Cluster.Notice.self)
            let stops = try Mailbox<Void>()
            thread = try PlatformThread(name: "cluster") { [plan] in
                let cluster = Cluster(plan, timing: .init()) { continuation.yield($0) }
                _ = try? cluster.run(orders: stops.descriptor) { stops.drain().map { .stop } }
                continuation.finish()
            }
            self.notices = notices
            self.stops = stops
        }
    }

    @Test func aKilledChildIsRestartedAndStopDrainsTheCluster() async throws {
        let cluster = try Running([Self.wellBehavedChild, Self.wellBehavedChild])
        var killed: String?
        var seen: [Cluster.Notice] = []
        for await notice in cluster.notices {
            seen.append(notice)
            guard case .told(let line) = notice, line.hasPrefix("worker 1 is ready: ") else { continue }
            if killed == nil {
                killed = line
                kill(pid_t(line.split(separator: " ").last!)!, SIGKILL)
            } else {
                #expect(line != killed)
                cluster.stops.post(())
            }
        }
        #expect(seen.contains(.told("worker 1 ended by signal 9; restarting in 0.2 s")))
        #expect(seen.contains(.allReady))
        #expect(seen.last == .finished(status: 0))
    }

    @Test func aSecondStopKillsAChildThatIgnoresTheFirst() async throws {
        let cluster = try Running(["trap '' TERM; echo deaf >&3; sleep 20 3>&-"])
        for await notice in cluster.notices {
            switch notice {
            case .allReady:
                cluster.stops.post(())
                cluster.stops.post(())
            case .finished(let status): #expect(status == 1)
            case .told: break
            }
        }
    }

    @Test func aMissingExecutableIsReportedAndStopsTheCluster() async throws {
        let cluster = try Running([Self.wellBehavedChild, "exit 127"])
        var last: Cluster.Notice?
        for await notice in cluster.notices { last = notice }
        #expect(last == .finished(status: 1))

        let error = #expect(throws: ChildProcess.StartError.self) {
            try ChildProcess(ChildCommand(executable: "/nowhere/bifrons-router", arguments: []), isQuiet: true)
        }
        #expect(
            error?.description
                == "cannot start /nowhere/bifrons-router: No such file or directory; build or install it beside bifrons"
        )
    }

    @Test func planHasARouterWorkersForTheLocatorEveryModelAndKindOfEvidenceAndAGateway() throws {
        let settings = try ClusterSettings(environment: [
            "BIFRONS_WORKERS": "2", "BIFRONS_WORKER_ENDPOINT": "ipc:///w", "BIFRONS_DECODE_THREADS": "1",
        ])
        let ensemble = ClusterEnsemble(models: ["a", "b"], evidence: ["provenance", "known"], shadows: ["c"])
        let plan = ClusterPlan(settings, ensemble, executables: "/bin")
        #expect(
            plan.children.map(\.child.name)
                == [
                    "router", "worker locator", "worker a 1", "worker a 2", "worker b 1", "worker b 2",
                    "worker c (shadow)", "worker provenance", "worker known", "gateway",
                ])
        #expect(plan.children.filter { $0.child.reloads }.map(\.child.name) == ["worker known"])
        #expect(
            plan.children[5].command
                == ChildCommand(
                    executable: "/bin/bifrons-worker", arguments: ["--model=Models/b", "--router=ipc:///w"]))
        #expect(plan.children[8].command.arguments == ["--evidence=known", "--router=ipc:///w"])
    }

    @Test func thePlanIsSummarisedInOneLine() throws {
        func summary(
            _ environment: [String: String], models: [String], evidence: [String] = [], cores: Int
        ) throws -> String {
            let ensemble = ClusterEnsemble(models: models, evidence: evidence)
            return ClusterPlan.summary(try ClusterSettings(environment: environment), ensemble, cores: cores)
        }
        #expect(
            try summary(["BIFRONS_DECODE_THREADS": "2", "BIFRONS_WORKERS": "1"], models: ["a", "b"], cores: 2)
                == "2 cores: 1 worker of the locator with 2 decoding threads, 1 worker of each of 2 models")
        let environment = [
            "BIFRONS_DECODE_THREADS": "1", "BIFRONS_WORKERS": "3", "BIFRONS_LOCATOR_WORKERS": "2",
        ]
        #expect(
            try summary(environment, models: ["a"], evidence: ["known"], cores: 1)
                == "1 core: 2 workers of the locator with 1 decoding thread, 3 workers of the model a, 1 worker for known"
        )
    }

    @Test func theModelsOfTheEnsembleAndTheLocatorMustExist() throws {
        let folder = try TemporaryFolder()
        var environment = ["BIFRONS_MODELS_FOLDER": folder.path]
        func ensemble() throws -> ClusterEnsemble {
            try ClusterPlan.ensemble(try ClusterSettings(environment: environment))
        }
        func problem() -> String? {
            do {
                _ = try ensemble()
                return nil
            } catch {
                return "\(error)"
            }
        }
        let unreadable = "cannot read \(folder.path)/ensemble.json; run where it is, or set BIFRONS_MODELS_FOLDER or"
        #expect(problem()?.hasPrefix(unreadable) == true)
        try folder.write("ensemble.json", Array("{}".utf8))
        #expect(problem()?.contains("is not an ensemble") == true)
        try folder.write("ensemble.json", Array(#"{"models": ["a"]}"#.utf8))
        #expect(problem()?.contains("names the model 'a'") == true)
        try folder.write("a/manifest.json", [])
        #expect(problem()?.hasPrefix("\(folder.path)/locator/manifest.json does not exist") == true)
        try folder.write("locator/manifest.json", [])
        #expect(try ensemble() == ClusterEnsemble(models: ["a"]))
        try folder.write("ensemble.json", Array(#"{"models": ["a"], "evidence": ["seal"]}"#.utf8))
        #expect(problem()?.contains("names the evidence 'seal', which does not exist; name some of provenance") == true)
        try folder.write("ensemble.json", Array(#"{"models": ["a"], "evidence": ["provenance", "known"]}"#.utf8))
        #expect(problem()?.contains("needs the folder of banks.json; give --banks") == true)
        environment["BIFRONS_BANKS"] = "banks"
        #expect(try ensemble().evidence == ["provenance", "known"])
        try folder.write("other.json", Array(#"{"models": ["a"]}"#.utf8))
        for name in ["other.json", "\(folder.path)/other.json"] {
            environment["BIFRONS_ENSEMBLE"] = name
            #expect(try ensemble() == ClusterEnsemble(models: ["a"]))
        }
    }
}
