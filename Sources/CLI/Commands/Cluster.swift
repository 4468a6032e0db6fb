import BifronsWire
import BifronsZeroMQ
import FoundationEssentials
import Glibc
import ProcessSupport
import Reactor
import Settings

/// What a cluster serves, by its `ensemble.json`.
struct ClusterEnsemble: Equatable {
    /// The names of the models.
    var models: [String]
    /// The kinds of evidence.
    var evidence: [String] = []
    /// The names of the models that score a share of the images for comparison.
    var shadows: [String] = []

    /// Whether a worker of known images is among the cluster's.
    var hasKnownImages: Bool { evidence.contains(EvidenceKind.known.rawValue) }
}

/// The commands of a router, its workers and a gateway as child processes.
struct ClusterPlan: Equatable {
    /// The name of the locator's folder in the models folder.
    private static let locator = "locator"

    var children: [(child: Supervisor.Child, command: ChildCommand)]

    /// Plans one router, workers of the locator and of each model, one worker for each kind of evidence, and a gateway
    /// if the settings ask for one.
    ///
    /// - Parameters:
    ///   - settings: The settings, which also give the numbers of workers.
    ///   - ensemble: The models and kinds of evidence that `ensemble.json` names.
    ///   - folder: The folder of the executables.
    init(_ settings: ClusterSettings, _ ensemble: ClusterEnsemble, executables folder: String) {
        children = [
            (
                Supervisor.Child(name: "router", stage: .router, reloads: settings.router.keys != nil),
                ChildCommand(executable: "\(folder)/bifrons-router", arguments: settings.routerArguments)
            )
        ]
        func addWorker(_ name: String, _ task: String, reloads: Bool = false) {
            let own = [task, "--router=\(settings.workerPeer)"]
            children.append(
                (
                    Supervisor.Child(name: "worker \(name)", stage: .workers, reloads: reloads),
                    ChildCommand(executable: "\(folder)/bifrons-worker", arguments: settings.workerArguments + own)
                ))
        }
        let counts = [(Self.locator, settings.locatorWorkers)] + ensemble.models.map { ($0, settings.workersPerModel) }
        for (model, count) in counts {
            for number in 1...count {
                addWorker(
                    count == 1 ? model : "\(model) \(number)", "--model=\(settings.router.modelsFolder)/\(model)")
            }
        }
        for model in ensemble.shadows {
            addWorker("\(model) (shadow)", "--model=\(settings.router.modelsFolder)/\(model)")
        }
        for kind in ensemble.evidence {
            addWorker(kind, "--evidence=\(kind)", reloads: kind == EvidenceKind.known.rawValue)
        }
        if let arguments = settings.gatewayArguments {
            children.append(
                (
                    Supervisor.Child(name: "gateway", stage: .gateway),
                    ChildCommand(
                        executable: "\(folder)/bifrons-gateway",
                        arguments: arguments + ["--router=\(settings.clientPeer)"])
                ))
        }
    }

    static func == (left: ClusterPlan, right: ClusterPlan) -> Bool {
        left.children.elementsEqual(right.children, by: ==)
    }

    /// Returns one line that describes what is started: "2 cores: 1 worker of the locator with 2 decoding threads, 1
    /// worker of each of 2 models, 1 worker for provenance".
    static func summary(
        _ settings: ClusterSettings, _ ensemble: ClusterEnsemble, cores: Int = Processors.usable
    ) -> String {
        func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
        let models = ensemble.models
        let evidence = (ensemble.shadows.map { "the shadow \($0)" } + ensemble.evidence).map { ", 1 worker for \($0)" }
            .joined()
        let of = models.count == 1 ? "of the model \(models[0])" : "of each of \(models.count) models"
        return """
            \(counted(cores, "core")): \(counted(settings.locatorWorkers, "worker")) of the locator with \
            \(counted(settings.decodeThreads, "decoding thread")), \(counted(settings.workersPerModel, "worker")) \(of)\
            \(evidence)
            """
    }

    /// Returns the models and the kinds of evidence that the ensemble file names.
    ///
    /// - Throws: ``CommandError`` if the file is missing or malformed, a manifest of a model or of the locator is
    ///   missing, or there are no banks for known images.
    static func ensemble(_ settings: ClusterSettings) throws(CommandError) -> ClusterEnsemble {
        struct Ensemble: Decodable {
            let models: [String]
            let evidence: [String]?
            let shadow: [Shadow]?
        }
        struct Shadow: Decodable {
            let model: String
        }
        let folder = settings.router.modelsFolder
        let path = settings.router.ensemblePath
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandError("cannot read \(path); run where it is, or set BIFRONS_MODELS_FOLDER or BIFRONS_ENSEMBLE")
        }
        guard let ensemble = try? JSONDecoder().decode(Ensemble.self, from: data), !ensemble.models.isEmpty else {
            throw CommandError("\(path) is not an ensemble: the field 'models' must name at least one")
        }
        let shadows = (ensemble.shadow ?? []).map(\.model)
        for model in ensemble.models + shadows
        where !FileManager.default.fileExists(atPath: "\(folder)/\(model)/manifest.json") {
            throw CommandError(
                "\(path) names the model '\(model)', but \(folder)/\(model)/manifest.json does not exist")
        }
        guard FileManager.default.fileExists(atPath: "\(folder)/\(locator)/manifest.json") else {
            throw CommandError(
                "\(folder)/\(locator)/manifest.json does not exist: without a locator nothing finds the faces; put its folder there"
            )
        }
        let named = ClusterEnsemble(models: ensemble.models, evidence: ensemble.evidence ?? [], shadows: shadows)
        // The router refuses a kind that it does not know, and no worker could find such evidence.
        if let kind = named.evidence.first(where: { EvidenceKind(rawValue: $0) == nil }) {
            let known = EvidenceKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandError("\(path) names the evidence '\(kind)', which does not exist; name some of \(known)")
        }
        guard settings.banks != nil || !named.hasKnownImages else {
            throw CommandError(
                "\(path) names the evidence 'known', which needs the folder of banks.json; give --banks, BIFRONS_BANKS or "
                    + "'banks' in the file of --config")
        }
        return named
    }

    /// Returns the folder of the running executable, which also holds the other executables.
    static func executables() throws(CommandError) -> String {
        var buffer: [UInt8] = Array(repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
        guard count > 0, let slash = buffer[..<count].lastIndex(of: UInt8(ascii: "/")) else {
            throw CommandError("cannot find out where this program lies: /proc/self/exe cannot be read")
        }
        return String(decoding: buffer[..<slash], as: UTF8.self)
    }
}

/// Runs a plan by performing the supervisor's actions. Everything happens on the thread that calls `run`, because the
/// system sends the children SIGTERM when that thread ends.
final class Cluster {
    enum Notice: Equatable, Sendable {
        case told(String)
        case allReady
        case finished(status: Int32)
    }

    private let commands: [ChildCommand]
    private let isQuiet: Bool
    private let notify: (Notice) -> Void
    private var supervisor: Supervisor
    private var processes: [(process: ChildProcess, index: Int)?]
    private var poll = PollSet()
    private var pending: [Supervisor.Event] = []

    /// Creates a cluster; ``run(orders:takeOrders:)`` starts it.
    ///
    /// - Parameters:
    ///   - plan: The child processes.
    ///   - timing: The supervisor's delays and time limits.
    ///   - isQuiet: Whether the children's standard output is redirected to the standard error.
    ///   - notify: Called for each notice, on the thread of `run`.
    init(
        _ plan: ClusterPlan, timing: Supervisor.Timing, isQuiet: Bool = false, notify: @escaping (Notice) -> Void
    ) {
        commands = plan.children.map(\.command)
        self.isQuiet = isQuiet
        self.notify = notify
        supervisor = Supervisor(plan.children.map(\.child), timing: timing)
        processes = Array(repeating: nil, count: commands.count)
    }

    /// Runs until no child is left.
    ///
    /// - Parameters:
    ///   - orders: A descriptor that is readable when there are orders.
    ///   - takeOrders: Returns the orders since the last call: to stop, to reload.
    /// - Returns: The exit status.
    func run(orders: Int32, takeOrders: () -> [Supervisor.Event]) throws -> Int32 {
        let ordersIndex = poll.add(descriptor: orders)
        pending = [.start]
        while true {
            while !pending.isEmpty {
                let event = pending.removeFirst()
                for action in supervisor.handle(event, at: MonotonicClock.now()) {
                    if let status = perform(action) { return status }
                }
            }
            _ = try poll.wait(milliseconds: MonotonicClock.now().pollMilliseconds(until: supervisor.nextDue))
            for child in processes.indices {
                guard let (process, index) = processes[child], poll.isReadable(index) || poll.isFailed(index) else {
                    continue
                }
                let (lines, end) = process.receive()
                pending += lines.map { .ready(child, $0) }
                if let end {
                    poll.remove(index)
                    processes[child] = nil
                    pending.append(.ended(child, end))
                }
            }
            if poll.isReadable(ordersIndex) { pending += takeOrders() }
            pending.append(.due)
        }
    }

    /// Performs one action.
    ///
    /// - Returns: The exit status, if that was the last action.
    private func perform(_ action: Supervisor.Action) -> Int32? {
        switch action {
        case .launch(let child):
            do {
                let command = ChildCommand(
                    executable: commands[child].executable,
                    arguments: commands[child].arguments + Supervision.arguments)
                let process = try ChildProcess(command, isQuiet: isQuiet)
                processes[child] = (process, poll.add(descriptor: process.descriptor))
            } catch {
                notify(.told("\(error)"))
                // The shell, too, uses 127 for a missing command.
                pending.append(.ended(child, .status(127)))
            }
        case .terminate(let child): processes[child]?.process.send(SIGTERM)
        case .kill(let child): processes[child]?.process.send(SIGKILL)
        case .reload(let child): processes[child]?.process.send(SIGHUP)
        case .tell(let line): notify(.told(line))
        case .allReady: notify(.allReady)
        case .finished(let status):
            notify(.finished(status: status))
            return status
        }
        return nil
    }
}
