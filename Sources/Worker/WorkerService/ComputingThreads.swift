internal import BifronsZeroMQ
internal import Reactor
internal import Synchronization

/// Threads that compute what they are ordered to, each one thing after the other.
///
/// One thread orders, the socket's; what is ordered is performed on theirs, and reported in a mailbox.
final class ComputingThreads<Order: Sendable, Report: Sendable> {
    /// - Parameter step: to be called as it gets on.
    typealias Perform = @Sendable (Order, _ step: () -> Void) -> Report

    /// How much lower a slow order's priority is, as `nice` counts: a tenth of the processor's time where others want it.
    private static var niceness: Int32 { 10 }

    private struct Member {
        let worker: Worker
        let thread: PlatformThread
        /// What it has been ordered and has not been known to have done, by number.
        var orders: Set<Int> = []
    }

    private let name: String
    private let reports: Mailbox<Report>
    private let perform: Perform
    private let broken: @Sendable (any Error) -> Report
    private let steps = Steps()
    private var members: [Member] = []
    /// Those that end when they have done what they are at.
    private var retired: [Member] = []

    /// Starts the threads.
    ///
    /// - Parameters:
    ///   - name: as debuggers show it.
    ///   - broken: what is reported when a thread has to end.
    init(
        name: String, count: Int, reports: Mailbox<Report>, broken: @escaping @Sendable (any Error) -> Report,
        perform: @escaping Perform
    ) throws {
        self.name = name
        self.reports = reports
        self.broken = broken
        self.perform = perform
        for _ in 0..<count { try add() }
    }

    private func add() throws {
        let worker = Worker(orders: try Mailbox())
        let (reports, broken, perform, steps) = (reports, broken, perform, steps)
        let thread = try PlatformThread(name: name) {
            do {
                try worker.run { order in
                    reports.post(perform(order) { steps.count.add(1, ordering: .relaxed) })
                    steps.count.add(1, ordering: .relaxed)
                }
            } catch {
                reports.post(broken(error))
            }
        }
        members.append(Member(worker: worker, thread: thread))
    }

    /// Changes as long as the threads get on: with each step, and with the time that they have computed, since a huge
    /// picture is one long step.
    var progress: UInt64 {
        let computed = (members + retired).reduce(0) { $0 &+ $1.worker.computingTime }
        return steps.count.load(ordering: .relaxed) &+ computed
    }

    /// For how long each order that is being performed has had a processor, by its number.
    var computed: [Int: Duration] {
        Dictionary(members.compactMap { $0.worker.computed }) { first, _ in first }
    }

    /// Hands an order to the thread that has the fewest.
    func order(_ order: Order, number: Int) {
        guard let index = members.indices.min(by: { members[$0].orders.count < members[$1].orders.count }) else {
            preconditionFailure("ordering after the end")
        }
        members[index].orders.insert(number)
        members[index].worker.orders.post(.perform(order, number: number))
    }

    /// The report of an order has been taken.
    func note(done number: Int) {
        for index in members.indices { members[index].orders.remove(number) }
        retired.removeAll { $0.orders.contains(number) }
    }

    /// Lowers the priority of the thread that is at an order, if there is one, and starts another in its place.
    ///
    /// Without privileges a thread cannot raise its priority again: it ends when it has done that order.
    func demote(_ number: Int) throws {
        guard let index = members.firstIndex(where: { $0.orders.contains(number) }),
            members[index].worker.retire(at: number, niceness: Self.niceness)
        else { return }
        retired.append(members.remove(at: index))
        try add()
    }

    /// Waits until the threads have done what was ordered, and ends them.
    func end() {
        for member in members { member.worker.orders.post(.end) }
        for member in members + retired { member.thread.join() }
        (members, retired) = ([], [])
    }

    /// Counts on as long as the threads get on.
    private final class Steps: Sendable {
        let count = Atomic<UInt64>(0)
    }

    private enum Command: Sendable {
        case perform(Order, number: Int)
        case end
    }

    /// What a thread and the one that orders it have in common.
    private final class Worker: Sendable {
        private struct State {
            /// Nil before and after its life.
            var thread: RunningThread?
            /// The order that it is at, and how long it had computed before.
            var current: (number: Int, before: Duration)?
            var isRetired = false
        }

        let orders: Mailbox<Command>
        private let state = Mutex(State())

        init(orders: Mailbox<Command>) {
            self.orders = orders
        }

        /// The life of the thread.
        func run(_ perform: (Order) -> Void) throws {
            state.withLock { $0.thread = .current }
            defer { state.withLock { $0.thread = nil } }
            var polled = PollSet()
            _ = polled.add(descriptor: orders.descriptor)
            while true {
                _ = try polled.wait(milliseconds: -1)
                for command in orders.drain() {
                    guard case .perform(let order, let number) = command else { return }
                    state.withLock { $0.current = (number, $0.thread?.computingTime ?? .zero) }
                    perform(order)
                    let isRetired = state.withLock { state in
                        state.current = nil
                        return state.isRetired
                    }
                    if isRetired { return }
                }
            }
        }

        /// Makes the thread one of low priority, which ends after the order that it is at.
        ///
        /// - Returns: false when it is not at that order.
        func retire(at number: Int, niceness: Int32) -> Bool {
            state.withLock { state in
                guard state.current?.number == number else { return false }
                state.isRetired = true
                // Refused, as by a sandbox, it computes on as before, and beside its lane all the same.
                state.thread?.giveWay(niceness: niceness)
                return true
            }
        }

        /// The order that the thread is at, and for how long it has computed that.
        var computed: (Int, Duration)? {
            state.withLock { state in
                guard let current = state.current, let thread = state.thread else { return nil }
                return (current.number, thread.computingTime - current.before)
            }
        }

        /// How long the thread has computed, in hundredths of a second.
        var computingTime: UInt64 {
            state.withLock { UInt64(($0.thread?.computingTime ?? .zero) / .milliseconds(10)) }
        }
    }
}
