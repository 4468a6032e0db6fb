import BifronsWire
import Glibc

/// Decides which children run, when a dead one is restarted, and in which order they are stopped. It only turns events
/// into actions; the caller has the clock and the processes.
struct Supervisor {
    /// The order of stopping: each stage ends before the next is told to stop. So jobs in flight are answered, because
    /// the gateway still has the router while it drains, and the router still has its workers.
    enum Stage: Int, Comparable {
        case gateway, router, workers

        static func < (left: Stage, right: Stage) -> Bool { left.rawValue < right.rawValue }
    }

    struct Child: Equatable {
        let name: String
        let stage: Stage
        /// Whether SIGHUP makes it read its files again. It ends another child.
        var reloads = false
    }

    /// How a process ended.
    enum End: Equatable, CustomStringConvertible {
        case status(Int32)
        case signal(Int32)

        var description: String {
            switch self {
            case .status(0): "ended"
            case .status(let status): "ended with status \(status)"
            case .signal(let signal): "ended by signal \(signal)"
            }
        }
    }

    enum Event: Equatable {
        case start
        /// The child is ready, with its own message about that.
        case ready(Int, String)
        case ended(Int, End)
        /// The cluster must end: drained at the first stop, killed at the second.
        case stop
        /// The allow-list or the banks have changed.
        case reload
        /// ``nextDue`` was reached.
        case due
    }

    enum Action: Equatable {
        case launch(Int)
        case terminate(Int)
        case kill(Int)
        case reload(Int)
        /// Print a line for people.
        case tell(String)
        /// Every child has been ready, for the first time.
        case allReady
        /// No child is left.
        case finished(status: Int32)
    }

    struct Timing {
        /// The delay before the first restart. It doubles with each failure.
        var firstDelay = Duration.milliseconds(200)
        /// The longest delay before a restart.
        var longestDelay = Duration.seconds(10)
        /// The delay before restarting a child that could not serve its model, because a person must repair that first.
        var unfitDelay = Duration.seconds(60)
        /// The lifetime after which a child counts as healthy, so that its next end counts as the first failure.
        var healthyAfter = Duration.seconds(30)
        /// How long a stage may take to drain.
        var patience = Duration.seconds(12)
        /// How long the first start may take; nil: no limit.
        var startWithin: Duration?
    }

    private enum State: Equatable {
        case idle
        case running(since: Instant)
        case restarting(at: Instant)
    }

    private enum Phase: Equatable {
        case running
        case stopping(Stage, until: Instant)
        /// SIGKILL was sent, and the children's ends are awaited.
        case killing
        case finished
    }

    let children: [Child]
    let timing: Timing
    private var states: [State]
    private var wasReady: [Bool]
    /// The number of consecutive ends of each child before it was healthy.
    private var failures: [Int]
    /// The children that last ended with `unfitStatus`, until they are ready again.
    private var unfit: Set<Int> = []
    private var phase = Phase.running
    private var startBy: Instant?
    private var status: Int32 = 0

    init(_ children: [Child], timing: Timing = Timing()) {
        self.children = children
        self.timing = timing
        states = Array(repeating: .idle, count: children.count)
        wasReady = Array(repeating: false, count: children.count)
        failures = Array(repeating: 0, count: children.count)
    }

    /// When to report `Event.due` unless another event comes first; nil if nothing is due.
    var nextDue: Instant? {
        switch phase {
        case .running:
            (states.map { if case .restarting(let at) = $0 { at } else { nil } } + [startBy]).compactMap(\.self).min()
        case .stopping(_, let until): until
        case .killing, .finished: nil
        }
    }

    /// Handles an event and returns the actions to perform, in order.
    mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        switch event {
        case .start:
            startBy = timing.startWithin.map { now + $0 }
            return children.indices.map { launch($0, at: now) }
        case .ready(let index, let text):
            guard case .running = states[index] else { return [] }
            let name = children[index].name
            var actions = [Action.tell(text.isEmpty ? "\(name) is ready" : "\(name) is ready: \(text)")]
            let wereAllReady = wasReady.allSatisfy(\.self)
            wasReady[index] = true
            unfit.remove(index)
            if !wereAllReady, wasReady.allSatisfy(\.self) {
                startBy = nil
                actions.append(.allReady)
            }
            return actions
        case .ended(let index, let end): return ended(index, end, at: now)
        case .stop:
            switch phase {
            case .running: return stop(from: .gateway, at: now)
            case .stopping: return kill()
            case .killing, .finished: return []
            }
        case .reload:
            // A child that was never ready may not handle the signal yet, which would end it, and reads its files later.
            return children.indices.filter { children[$0].reloads && isRunning($0) && wasReady[$0] }
                .map { .reload($0) }
        case .due: return due(at: now)
        }
    }

    private mutating func launch(_ index: Int, at now: Instant) -> Action {
        states[index] = .running(since: now)
        return .launch(index)
    }

    private mutating func ended(_ index: Int, _ end: End, at now: Instant) -> [Action] {
        guard case .running(let since) = states[index] else { return [] }
        states[index] = .idle
        let name = children[index].name
        switch phase {
        case .running:
            // The child has printed the reason and would fail again: a wrong setting, a port in use, a missing model.
            if case .status(let code) = end, code != 0, !wasReady[index] {
                status = 1
                return [.tell("\(name) \(end) before it was ready; stopping")] + stop(from: .gateway, at: now)
            }
            if end == .status(EX_CONFIG) {
                unfit.insert(index)
                states[index] = .restarting(at: now + timing.unfitDelay)
                let delay = fixed(timing.unfitDelay.milliseconds / 1000, 0)
                return [.tell("\(name) \(end): it cannot serve its model; mend that, it is tried again in \(delay) s")]
            }
            if now - since >= timing.healthyAfter { failures[index] = 0 }
            let delay = min(timing.firstDelay * (1 << min(failures[index], 20)), timing.longestDelay)
            failures[index] += 1
            states[index] = .restarting(at: now + delay)
            return [.tell("\(name) \(end); restarting in \(fixed(delay.milliseconds / 1000, 1)) s")]
        case .stopping(let stage, _):
            // A child that has just started may not handle SIGTERM yet and is ended by it.
            let isExpected = end == .status(0) || end == .signal(SIGTERM)
            if !isExpected { status = 1 }
            let told = isExpected ? [] : [Action.tell("\(name) \(end)")]
            return children.indices.contains { children[$0].stage == stage && isRunning($0) }
                ? told : told + stop(from: stage, at: now)
        case .killing: return isAnyRunning ? [] : finish()
        case .finished: return []
        }
    }

    private mutating func due(at now: Instant) -> [Action] {
        guard let nextDue, nextDue <= now else { return [] }
        switch phase {
        case .running:
            if let startBy, startBy <= now {
                self.startBy = nil
                status = 1
                let late = children.indices.filter { !wasReady[$0] }.map { children[$0].name }
                return [.tell("\(late.joined(separator: ", ")) did not get ready in time; stopping")]
                    + stop(from: .gateway, at: now)
            }
            return children.indices.compactMap { index in
                guard case .restarting(let at) = states[index], at <= now else { return nil }
                return launch(index, at: now)
            }
        case .stopping(let stage, _):
            let late = children.indices.filter { children[$0].stage == stage && isRunning($0) }
            let names = late.map { children[$0].name }.joined(separator: ", ")
            return [.tell("\(names) did not drain in time; killing")] + kill()
        case .killing, .finished: return []
        }
    }

    /// Stops the first stage, from `stage` on, that has a running child.
    private mutating func stop(from stage: Stage, at now: Instant) -> [Action] {
        for index in children.indices { if case .restarting = states[index] { states[index] = .idle } }
        let running = children.indices.filter { isRunning($0) && children[$0].stage >= stage }
        guard let next = running.map({ children[$0].stage }).min() else { return isAnyRunning ? kill() : finish() }
        phase = .stopping(next, until: now + timing.patience)
        return running.filter { children[$0].stage == next }.map { .terminate($0) }
    }

    private mutating func kill() -> [Action] {
        phase = .killing
        status = 1
        return children.indices.filter(isRunning).map { .kill($0) }
    }

    private mutating func finish() -> [Action] {
        phase = .finished
        return [.finished(status: unfit.isEmpty ? status : 1)]
    }

    private func isRunning(_ index: Int) -> Bool {
        if case .running = states[index] { true } else { false }
    }

    private var isAnyRunning: Bool { children.indices.contains(where: isRunning) }
}
