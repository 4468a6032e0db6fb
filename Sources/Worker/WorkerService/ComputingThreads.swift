internal import BifronsZeroMQ
internal import Reactor
internal import Synchronization

/// A pool of threads. Each performs its orders one after another.
///
/// Only one thread, that of the socket, may give orders. The pool's threads perform them and post the results to a
/// mailbox.
final class ComputingThreads<Order: Sendable, Report: Sendable> {
    /// Performs an order and returns its report. It calls `step` whenever it has made progress.
    typealias Perform = @Sendable (Order, _ step: () -> Void) -> Report

    /// The increment by which a slow order's priority is lowered, as `nice` counts: it gets about a tenth of the
    /// processor time when others want it.
    private static var niceness: Int32 { 10 }

    private struct Member {
        let worker: Worker
        let thread: PlatformThread
        /// The numbers of the orders that the thread was given and whose reports have not been taken yet.
        var orders: Set<Int> = []
    }

    private let name: String
    private let reports: Mailbox<Report>
    private let perform: Perform
    private let broken: @Sendable (any Error) -> Report
    private let steps = Steps()
    private var members: [Member] = []
    /// Threads that end when they have finished their current order.
    private var retired: [Member] = []

    /// Starts the threads.
    ///
    /// - Parameters:
    ///   - name: The threads' name, as debuggers show it.
    ///   - count: The number of threads.
    ///   - reports: The mailbox for the reports.
    ///   - broken: Makes the report of an error that ended a thread.
    ///   - perform: Performs an order, on a thread of the pool.
    /// - Throws: An error of the system, if a thread or a mailbox cannot be made.
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

    /// A counter that changes while the threads make progress. It counts steps and consumed processor time, because a
    /// huge image is a single long step.
    var progress: UInt64 {
        let computed = (members + retired).reduce(0) { $0 &+ $1.worker.computingTime }
        return steps.count.load(ordering: .relaxed) &+ computed
    }

    /// The processor time that each running order has used, by the order's number.
    var computed: [Int: Duration] {
        Dictionary(members.compactMap { $0.worker.computed }) { first, _ in first }
    }

    /// Gives an order to the thread with the fewest orders.
    func order(_ order: Order, number: Int) {
        guard let index = members.indices.min(by: { members[$0].orders.count < members[$1].orders.count }) else {
            preconditionFailure("ordering after the end")
        }
        members[index].orders.insert(number)
        members[index].worker.orders.post(.perform(order, number: number))
    }

    /// Records that the report of an order was taken.
    func note(done number: Int) {
        for index in members.indices { members[index].orders.remove(number) }
        retired.removeAll { $0.orders.contains(number) }
    }

    /// Lowers the priority of the thread that performs an order, if any, and starts another thread in its place.
    ///
    /// An unprivileged thread cannot raise its priority again, so it ends after that order.
    func demote(_ number: Int) throws {
        guard let index = members.firstIndex(where: { $0.orders.contains(number) }),
            members[index].worker.retire(at: number, niceness: Self.niceness)
        else { return }
        retired.append(members.remove(at: index))
        try add()
    }

    /// Waits until all orders are done, then ends the threads.
    func end() {
        for member in members { member.worker.orders.post(.end) }
        for member in members + retired { member.thread.join() }
        (members, retired) = ([], [])
    }

    /// A counter of steps that all threads share.
    private final class Steps: Sendable {
        let count = Atomic<UInt64>(0)
    }

    private enum Command: Sendable {
        case perform(Order, number: Int)
        case end
    }

    /// The state that a thread shares with the thread that gives it orders.
    private final class Worker: Sendable {
        private struct State {
            /// The running thread; nil before it starts and after it has ended.
            var thread: RunningThread?
            /// The current order, and the thread's processor time when it began.
            var current: (number: Int, before: Duration)?
            var isRetired = false
        }

        let orders: Mailbox<Command>
        private let state = Mutex(State())

        init(orders: Mailbox<Command>) {
            self.orders = orders
        }

        /// Performs orders until the thread is told to end or is retired.
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

        /// Lowers the thread's priority and makes it end after its current order.
        ///
        /// - Returns: False if the thread is not performing that order.
        func retire(at number: Int, niceness: Int32) -> Bool {
            state.withLock { state in
                guard state.current?.number == number else { return false }
                state.isRetired = true
                // If the system refuses, as a sandbox may, the thread keeps its priority but still frees its lane.
                state.thread?.giveWay(niceness: niceness)
                return true
            }
        }

        /// The number of the current order and the processor time that it has used; nil if the thread is idle.
        var computed: (Int, Duration)? {
            state.withLock { state in
                guard let current = state.current, let thread = state.thread else { return nil }
                return (current.number, thread.computingTime - current.before)
            }
        }

        /// The thread's processor time in units of 10 ms.
        var computingTime: UInt64 {
            state.withLock { UInt64(($0.thread?.computingTime ?? .zero) / .milliseconds(10)) }
        }
    }
}
