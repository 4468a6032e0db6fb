import BifronsWire
import BifronsZeroMQ
import Glibc
import Keyring
import TestKit
import Testing

/// The real programs at work, on endpoints of their own in a temporary folder.
final class Cluster {
    struct NotReady: Error {}

    let context: Context
    private(set) var router: ChildProcess
    private(set) var workers: [ChildProcess] = []
    /// For networks of the tests' own: what cuts their crops.
    private var locator: ServedWorker?
    /// Nil: no encryption.
    let keys: KeyFolder?
    private let routerArguments: [String]
    private let folder: TemporaryFolder
    private var programs = 0

    private(set) var clientEndpoint: String
    /// Where everything of the cluster's is, and is removed with it.
    var path: String { folder.path }
    var workerEndpoint: String { "ipc://\(folder.path)/workers" }

    private init(hasKeys: Bool, overTCP: Bool, routerArguments: [String]) throws {
        folder = try TemporaryFolder()
        context = try Context()
        keys = hasKeys ? try KeyFolder.make(at: "\(folder.path)/keys") : nil
        clientEndpoint = overTCP ? "tcp://127.0.0.1:*" : "ipc://\(folder.path)/clients"
        self.routerArguments =
            [
                "--client-endpoint=\(clientEndpoint)",
                "--worker-endpoint=ipc://\(folder.path)/workers", "--models-folder=\(Files.models)",
            ] + Self.option(keys) + routerArguments
        router = try ChildProcess(
            Files.program("bifrons-router"), self.routerArguments, name: "router", folder: folder.path)
        if overTCP {
            // The port is the system's choice, and the router's to tell.
            try router.wait {
                let words = router.standardError.split { " \n".contains($0) }
                guard let word = words.first(where: { $0.hasPrefix("clients=tcp://") }) else { return false }
                clientEndpoint = String(word.dropFirst("clients=".count))
                return true
            }
        }
    }

    /// Starts a router and workers, waits until they are ready, lends them to `body` and ends them.
    ///
    /// - Parameters:
    ///   - keys: whether there are keys; the sockets of the test then have those that belong to them.
    ///   - overTCP: whether clients connect over TCP.
    ///   - heartbeat: a long one for tests with workers of their own, which then need not ping.
    ///   - workers: of each model, the real ones, and with them the real locator.
    ///   - cuts: whether there is a locator, if there are no real workers, that cuts crops out of any bytes: all of the
    ///     first one's value.
    static func run(
        keys: Bool = false, overTCP: Bool = false, heartbeat: String = "60s", router arguments: [String] = [],
        workers: [String] = [], cuts: Bool = true, _ body: (Cluster) throws -> Void
    ) throws {
        // Under a sanitizer a picture takes longer than the default allows.
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

    func startWorker(of model: String) throws {
        workers.append(
            try ChildProcess(
                Files.program("bifrons-worker"),
                [
                    "--model=\(Files.models)/\(model)", "--router=\(workerEndpoint)",
                    "--cache-folder=\(Files.root)/.cache/tests",
                ] + Self.option(keys), name: "worker-\(workers.count)", folder: folder.path))
    }

    /// - Parameters:
    ///   - models: one entry for each worker that must be there.
    ///   - isLocating: whether a locator must be there, too.
    func waitForWorkers(_ models: [String], isLocating: Bool = true) throws {
        let models = models + (isLocating ? ["locator"] : [])
        try Self.wait(for: models, try client(), while: workers.isEmpty ? [router] : workers)
    }

    /// Asks until the workers are there.
    static func wait(for models: [String], _ client: TestClient, while processes: [ChildProcess]) throws {
        var tries = Bounds.patience / 20
        while true {
            let report = try client.models()
            let missing = report.modelsAndLocator.contains { model in model.workers < models.count { $0 == model.name }
            }
            if !missing { return }
            tries -= 1
            // Also the pause between two looks.
            let ended = processes.contains { $0.wait(milliseconds: 20 / processes.count) != nil }
            if tries == 0 || ended { throw NotReady() }
        }
    }

    private static func option(_ keys: KeyFolder?) -> [String] {
        keys.map { ["--keys=\($0.path)"] } ?? []
    }

    /// - Parameters:
    ///   - role: whose key the client has, if there are keys.
    ///   - options: of the socket.
    func client(as role: AllowList.Role = .operator, options: SocketOptions = .init()) throws -> TestClient {
        var options = options
        if let keys { options.curve = try keys.client(role) }
        return TestClient(try Peer(clientEndpoint, context, options: options))
    }

    /// A worker of the test's own, registered unless it shall not be.
    func worker(_ script: ScriptedWorker, registered: Bool = true) throws -> TestWorker {
        var options = SocketOptions()
        if let keys { options.curve = try keys.client(.worker) }
        let worker = TestWorker(try Peer(workerEndpoint, context, options: options), script)
        if registered { try worker.register() }
        return worker
    }

    /// One of each model.
    func testWorkers() throws -> [TestWorker] {
        try ["resnet", "inception"].map { try worker(ScriptedWorker("test-\($0)", serving: $0)) }
    }

    /// The real gateway, on a free port.
    func startGateway(_ arguments: [String] = []) throws -> TestGateway {
        programs += 1
        return try TestGateway(
            ChildProcess(
                Files.program("bifrons-gateway"),
                ["--router=\(clientEndpoint)", "--http-port=0"] + Self.option(keys) + arguments,
                name: "gateway-\(programs)", folder: folder.path))
    }

    /// Writes a file to where it is removed with the cluster.
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

/// A good job is answered.
func expectService(
    _ client: TestClient, _ workers: [TestWorker], sourceLocation: SourceLocation = #_sourceLocation
) throws {
    try client.send(Frames.classify([1, 2, 3]))
    for worker in workers { try worker.scoreNextJob() }
    #expect(try client.receive().status == 200, sourceLocation: sourceLocation)
}
