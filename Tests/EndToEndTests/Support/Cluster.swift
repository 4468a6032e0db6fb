import BifronsWire
import BifronsZeroMQ
import Glibc
import Keyring
import TestKit
import Testing

/// The real programs, running on their own endpoints in a temporary folder.
final class Cluster {
    struct NotReady: Error {}

    let context: Context
    private(set) var router: ChildProcess
    private(set) var workers: [ChildProcess] = []
    /// The locator that cuts crops for test networks.
    private var locator: ServedWorker?
    /// The folder of keys; nil: no encryption.
    let keys: KeyFolder?
    private let routerArguments: [String]
    private let folder: TemporaryFolder
    private var programs = 0

    private(set) var clientEndpoint: String
    /// The folder of all the cluster's files, removed with the cluster.
    var path: String { folder.path }
    var workerEndpoint: String { "ipc://\(folder.path)/workers" }

    private init(hasKeys: Bool, overTCP: Bool, routerArguments: [String]) throws {
        folder = try TemporaryFolder()
        context = try Context()
        keys = hasKeys ? try KeyFolder.make(at: "\(folder.path)/keys") : nil
        try Files.write(Array(Files.ensembleWithoutEvidence.utf8), to: "\(folder.path)/ensemble.json")
        clientEndpoint = overTCP ? "tcp://127.0.0.1:*" : "ipc://\(folder.path)/clients"
        self.routerArguments =
            [
                "--client-endpoint=\(clientEndpoint)",
                "--worker-endpoint=ipc://\(folder.path)/workers", "--models-folder=\(folder.path)",
            ] + Self.option(keys) + routerArguments
        router = try ChildProcess(
            Files.program("bifrons-router"), self.routerArguments, name: "router", folder: folder.path)
        if overTCP {
            // The system chooses the port, and the router logs it.
            try router.wait {
                let words = router.standardError.split { " \n".contains($0) }
                guard let word = words.first(where: { $0.hasPrefix("clients=tcp://") }) else { return false }
                clientEndpoint = String(word.dropFirst("clients=".count))
                return true
            }
        }
    }

    /// Starts a router and workers, waits until they are ready, calls `body`, and stops them.
    ///
    /// - Parameters:
    ///   - keys: Whether connections are encrypted; the test's sockets then get keys.
    ///   - overTCP: Whether clients connect over TCP.
    ///   - heartbeat: The router's heartbeat interval. A long one suits tests with test workers, which then need not
    ///     ping.
    ///   - arguments: Further arguments of the router.
    ///   - workers: The models of real workers to start, together with the real locator; empty: none.
    ///   - cuts: Whether to run a fake locator if there are no real workers. It cuts crops out of any bytes, filled
    ///     with the first byte.
    ///   - body: The test.
    static func run(
        keys: Bool = false, overTCP: Bool = false, heartbeat: String = "60s", router arguments: [String] = [],
        workers: [String] = [], cuts: Bool = true, _ body: (Cluster) throws -> Void
    ) throws {
        // Under a sanitizer an image takes longer than the default allows.
        let common = ["--heartbeat=\(heartbeat)", "--hang-timeout=\(Bounds.patience)ms"]
        let cluster = try Cluster(hasKeys: keys, overTCP: overTCP, routerArguments: common + arguments)
        do {
            _ = try cluster.client().ask(Frames.request(#"{"verb":"ping"}"#))
            if !workers.isEmpty {
                for model in workers + ["locator"] { try cluster.startWorker(of: model) }
            } else if cuts {
                cluster.locator = try ServedWorker.locator(routers: [cluster.workerEndpoint], keys: cluster.keys?.path)
            }
            try cluster.waitForWorkers(workers, isLocating: cuts || !workers.isEmpty)
            try body(cluster)
        } catch {
            for process in [cluster.router] + cluster.workers {
                Issue.record("\(process.name) said: \(process.standardError)")
            }
            throw error
        }
    }

    func restartRouter() throws {
        router = try ChildProcess(
            Files.program("bifrons-router"), routerArguments, name: "router", folder: folder.path)
        if locator != nil { try waitForWorkers([]) }
    }

    /// Starts a real worker.
    ///
    /// - Parameters:
    ///   - model: The name of its model.
    ///   - arguments: Further arguments.
    ///   - router: The router's endpoint; nil: the cluster's `ipc://` one.
    ///   - missing: The part of the sandbox that the kernel is made to lack, `landlock` or `seccomp`; nil: none.
    func startWorker(
        of model: String, _ arguments: [String] = [], router: String? = nil, without missing: String? = nil
    ) throws {
        let words = workerWords(model, arguments, router: router, without: missing)
        workers.append(
            try ChildProcess(words[0], Array(words.dropFirst()), name: "worker-\(workers.count)", folder: folder.path))
    }

    /// Starts a real worker that finds evidence.
    ///
    /// - Parameters:
    ///   - kind: What it finds.
    ///   - arguments: Further arguments.
    ///   - wrapper: A command that replaces itself with the worker; empty: none.
    func startExaminer(of kind: EvidenceKind, _ arguments: [String] = [], in wrapper: [String] = []) throws {
        let words =
            wrapper + [
                Files.program("bifrons-worker"), "--evidence=\(kind.rawValue)", "--router=\(workerEndpoint)",
            ] + Self.option(keys) + arguments
        workers.append(
            try ChildProcess(words[0], Array(words.dropFirst()), name: "worker-\(workers.count)", folder: folder.path))
    }

    /// Returns the command line of a real worker, as ``startWorker(of:_:router:without:)`` runs it.
    func workerWords(
        _ model: String, _ arguments: [String] = [], router: String? = nil, without missing: String? = nil
    ) -> [String] {
        (missing.map { [Files.program("kernel-without"), $0] } ?? []) + [
            Files.program("bifrons-worker"), "--model=\(Files.models)/\(model)", "--router=\(router ?? workerEndpoint)",
            "--cache-folder=\(Files.root)/.cache/tests",
        ] + Self.option(keys) + arguments
    }

    /// Waits until workers are registered.
    ///
    /// - Parameters:
    ///   - models: One entry for each worker that is needed.
    ///   - isLocating: Whether a locator is needed too.
    func waitForWorkers(_ models: [String], isLocating: Bool = true) throws {
        let models = models + (isLocating ? ["locator"] : [])
        try Self.wait(for: models, try client(), while: workers.isEmpty ? [router] : workers)
    }

    /// Asks for the models until the workers are registered.
    static func wait(for models: [String], _ client: TestClient, while processes: [ChildProcess]) throws {
        var tries = Bounds.patience / 20
        while true {
            let report = try client.models()
            let missing = report.modelsAndLocator.contains { model in model.workers < models.count { $0 == model.name }
            }
            if !missing { return }
            tries -= 1
            // Also the pause between two checks.
            let ended = processes.contains { $0.wait(milliseconds: 20 / processes.count) != nil }
            if tries == 0 || ended { throw NotReady() }
        }
    }

    private static func option(_ keys: KeyFolder?) -> [String] {
        keys.map { ["--keys=\($0.path)"] } ?? []
    }

    /// Returns a client.
    ///
    /// - Parameters:
    ///   - role: The role whose key the client uses, if there are keys.
    ///   - options: The socket's options.
    func client(as role: AllowList.Role = .operator, options: SocketOptions = .init()) throws -> TestClient {
        var options = options
        if let keys { options.curve = try keys.client(role) }
        return TestClient(try Peer(clientEndpoint, context, options: options))
    }

    /// Returns a test worker, registered unless `registered` is false.
    func worker(_ script: ScriptedWorker, registered: Bool = true) throws -> TestWorker {
        var options = SocketOptions()
        if let keys { options.curve = try keys.client(.worker) }
        let worker = TestWorker(try Peer(workerEndpoint, context, options: options), script)
        if registered { try worker.register() }
        return worker
    }

    /// Returns a test worker of each model.
    func testWorkers() throws -> [TestWorker] {
        try ["resnet", "inception"].map { try worker(ScriptedWorker("test-\($0)", serving: $0)) }
    }

    /// Starts the real gateway on a free port.
    func startGateway(_ arguments: [String] = []) throws -> TestGateway {
        programs += 1
        return try TestGateway(
            ChildProcess(
                Files.program("bifrons-gateway"),
                ["--router=\(clientEndpoint)", "--http-port=0"] + Self.option(keys) + arguments,
                name: "gateway-\(programs)", folder: folder.path))
    }

    /// Writes a file that is removed with the cluster, and returns its path.
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        let path = "\(folder.path)/\(name)"
        if let slash = name.lastIndex(of: "/") { mkdir("\(folder.path)/\(name[..<slash])", 0o700) }
        try Files.write(bytes, to: path)
        return path
    }

    /// Runs a program to its end.
    func run(_ program: String, _ arguments: [String]) throws -> ChildProcess {
        programs += 1
        let process = try ChildProcess(
            program, arguments, name: "program-\(programs)", folder: folder.path, diesWithTests: false)
        _ = try process.waitForEnd()
        return process
    }
}

/// Checks that a good job is answered.
func expectService(
    _ client: TestClient, _ workers: [TestWorker], sourceLocation: SourceLocation = #_sourceLocation
) throws {
    try client.send(Frames.classify([1, 2, 3]))
    for worker in workers { try worker.scoreNextJob() }
    #expect(try client.receive().status == 200, sourceLocation: sourceLocation)
}
