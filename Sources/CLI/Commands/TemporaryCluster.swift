import Glibc
import ProcessSupport
import Reactor
import Settings
import Synchronization

/// A cluster that runs for one command. It uses ipc endpoints in its own folder, so it cannot collide with another
/// cluster. A signal that ends the command ends the cluster too.
final class TemporaryCluster: Sendable {
    /// The endpoint for clients.
    let endpoint: String

    private let folder: String
    private let stopRequests: Mailbox<Void>
    private let thread: PlatformThread
    private let notices: AsyncStream<Cluster.Notice>
    /// Whether a signal is ending the process, so that nothing more is reported.
    private let isAbandoned = Atomic(false)

    /// Starts the cluster. Call ``waitUntilReady()`` next.
    ///
    /// - Parameter given: the options given on the command line.
    /// - Throws: ``CommandError`` if the models or the executables are missing or no folder can be made.
    init(_ given: [GivenOption]) throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/bifrons-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CommandError("cannot make a folder in \(parent): \(String(cString: strerror(errno)))")
        }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var isStarted = false
        defer { if !isStarted { rmdir(folder) } }
        let settings = try ClusterSettings.temporary(folder: folder, given)
        let ensemble: ClusterEnsemble
        do {
            ensemble = try ClusterPlan.ensemble(settings)
        } catch {
            throw CommandError(
                "no router answered, and none can be started: \(error.description)",
                status: EX_UNAVAILABLE)
        }
        let plan = ClusterPlan(settings, ensemble, executables: try ClusterPlan.executables())
        var timing = Supervisor.Timing()
        timing.patience = settings.router.drainTime + .seconds(2)
        timing.startWithin = .seconds(60)
        let (notices, continuation) = AsyncStream.makeStream(of: Cluster.Notice.self)
        let stopRequests = try Mailbox<Void>()
        thread = try PlatformThread(name: "cluster") { [timing] in
            let cluster = Cluster(plan, timing: timing, isQuiet: true) { continuation.yield($0) }
            do {
                _ = try cluster.run(orders: stopRequests.descriptor) { stopRequests.drain().map { .stop } }
            } catch {
                continuation.yield(.told("\(error)"))
                continuation.yield(.finished(status: 1))
            }
            continuation.finish()
        }
        self.notices = notices
        self.stopRequests = stopRequests
        self.folder = folder
        endpoint = settings.clientPeer
        isStarted = true
        Interruption.setCleanUp { [weak self] in self?.abandon() }
    }

    /// Waits until every model is served.
    ///
    /// - Throws: ``CommandError`` if the cluster ended instead; its children have printed the reason.
    func waitUntilReady() async throws(CommandError) {
        for await notice in notices {
            switch notice {
            case .allReady: return
            case .told(let line): if !line.contains(" is ready") { printError(line) }
            case .finished where isAbandoned.load(ordering: .acquiring):
                // The process is about to end by its signal, so nothing more is printed.
                break
            case .finished:
                throw CommandError(
                    "no router answered, and none could be started", status: EX_UNAVAILABLE)
            }
        }
    }

    /// Drains the cluster and waits for its end.
    func stop() {
        Interruption.setCleanUp(nil)
        stopRequests.post(())
        end()
    }

    /// Kills the cluster and waits for its end.
    private func abandon() {
        isAbandoned.store(true, ordering: .releasing)
        for _ in 0..<2 { stopRequests.post(()) }
        end()
    }

    private func end() {
        thread.join()
        for name in ["clients", "workers"] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }
}
