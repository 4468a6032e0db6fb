import BifronsWire
import Testing

@testable import Commands

@Suite struct SupervisorTests {
    private let router = 0
    private let first = 1
    private let second = 2

    private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

    private func supervisor(startWithin: Duration? = nil) -> Supervisor {
        var timing = Supervisor.Timing()
        timing.startWithin = startWithin
        return Supervisor(
            [
                .init(name: "router", stage: .router, reloads: true), .init(name: "worker a", stage: .workers),
                .init(name: "worker b", stage: .workers),
            ], timing: timing)
    }

    /// Returns a supervisor whose children are all running and ready.
    private func ready() -> Supervisor {
        var supervisor = supervisor()
        _ = supervisor.handle(.start, at: at(0))
        for child in 0...2 { _ = supervisor.handle(.ready(child, ""), at: at(1)) }
        return supervisor
    }

    @Test func allChildrenAreLaunchedAtOnceAndReportedWhenReady() {
        var supervisor = supervisor()
        #expect(supervisor.handle(.start, at: at(0)) == [.launch(0), .launch(1), .launch(2)])
        #expect(supervisor.nextDue == nil)
        #expect(supervisor.handle(.ready(1, ""), at: at(1)) == [.tell("worker a is ready")])
        #expect(
            supervisor.handle(.ready(0, "listens at ipc://x"), at: at(1)) == [
                .tell("router is ready: listens at ipc://x")
            ])
        #expect(supervisor.handle(.ready(2, ""), at: at(1)) == [.tell("worker b is ready"), .allReady])
        #expect(supervisor.handle(.ready(2, ""), at: at(2)) == [.tell("worker b is ready")])
    }

    @Test func aDeadChildIsRestartedAndTheOthersContinue() {
        var supervisor = ready()
        #expect(
            supervisor.handle(.ended(first, .signal(9)), at: at(2))
                == [.tell("worker a ended by signal 9; restarting in 0.2 s")])
        #expect(supervisor.nextDue == at(2.2))
        #expect(supervisor.handle(.due, at: at(2.1)).isEmpty)
        #expect(supervisor.handle(.due, at: at(2.2)) == [.launch(first)])
        #expect(supervisor.nextDue == nil)
    }

    @Test func restartDelaysDoubleUpToTenSecondsAndResetAfterStableOperation() {
        var supervisor = ready()
        var now = 2.0
        var delays: [Double] = []
        for _ in 0..<8 {
            _ = supervisor.handle(.ended(first, .signal(11)), at: at(now))
            let due = supervisor.nextDue!
            delays.append((due - at(now)) / .seconds(1))
            _ = supervisor.handle(.due, at: due)
            now = Double(due.nanoseconds) / 1e9 + 1
        }
        #expect(delays == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])
        #expect(
            supervisor.handle(.ended(first, .status(1)), at: at(now + 30))
                == [.tell("worker a ended with status 1; restarting in 0.2 s")])
    }

    private static let unfit =
        "worker a ended with status 78: it cannot serve its model; mend that, it is tried again in 60 s"

    @Test func aChildThatCannotServeItsModelIsRestartedEveryMinute() {
        var supervisor = ready()
        var now = 2.0
        // The delay stays the same, however often the child fails.
        for _ in 0..<10 {
            #expect(supervisor.handle(.ended(first, .status(78)), at: at(now)) == [.tell(Self.unfit)])
            #expect(supervisor.nextDue == at(now + 60))
            #expect(supervisor.handle(.due, at: at(now + 59.9)).isEmpty)
            #expect(supervisor.handle(.due, at: at(now + 60)) == [.launch(first)])
            #expect(supervisor.nextDue == nil)
            now += 61
        }
        #expect(supervisor.handle(.stop, at: at(now)) == [.terminate(router)])
        #expect(supervisor.handle(.ended(router, .status(0)), at: at(now)) == [.terminate(first), .terminate(second)])
        _ = supervisor.handle(.ended(first, .status(0)), at: at(now))
        // The model was not repaired, so the exit status is 1.
        #expect(supervisor.handle(.ended(second, .status(0)), at: at(now)) == [.finished(status: 1)])
    }

    @Test func aChildWhoseModelWasRepairedIsTreatedNormallyAgain() {
        var supervisor = ready()
        _ = supervisor.handle(.ended(first, .status(78)), at: at(2))
        _ = supervisor.handle(.due, at: at(62))
        #expect(supervisor.handle(.ready(first, ""), at: at(63)) == [.tell("worker a is ready")])
        #expect(
            supervisor.handle(.ended(first, .signal(9)), at: at(64))
                == [.tell("worker a ended by signal 9; restarting in 0.2 s")])
        _ = supervisor.handle(.due, at: at(64.2))
        _ = supervisor.handle(.ready(first, ""), at: at(65))
        _ = supervisor.handle(.stop, at: at(66))
        _ = supervisor.handle(.ended(router, .status(0)), at: at(66))
        _ = supervisor.handle(.ended(first, .status(0)), at: at(66))
        #expect(supervisor.handle(.ended(second, .status(0)), at: at(66)) == [.finished(status: 0)])
    }

    @Test func aClusterWithoutAnyServingWorkerKeepsRestartingThem() {
        var supervisor = ready()
        for child in [first, second] { _ = supervisor.handle(.ended(child, .status(78)), at: at(Double(child))) }
        #expect(supervisor.nextDue == at(61))
        #expect(supervisor.handle(.due, at: at(61)) == [.launch(first)])
        #expect(supervisor.handle(.due, at: at(62)) == [.launch(second)])
        _ = supervisor.handle(.ended(first, .status(78)), at: at(63))
        _ = supervisor.handle(.ended(second, .status(78)), at: at(63))
        // Children that wait for a restart are not waited for.
        #expect(supervisor.handle(.stop, at: at(64)) == [.terminate(router)])
        #expect(supervisor.handle(.ended(router, .status(0)), at: at(65)) == [.finished(status: 1)])
        #expect(supervisor.nextDue == nil)
    }

    @Test func aChildThatCannotServeItsModelAtTheFirstStartStopsTheCluster() {
        var supervisor = supervisor()
        _ = supervisor.handle(.start, at: at(0))
        #expect(
            supervisor.handle(.ended(first, .status(78)), at: at(0.1))
                == [.tell("worker a ended with status 78 before it was ready; stopping"), .terminate(router)])
    }

    @Test func stopDrainsTheRouterBeforeTheWorkers() {
        var supervisor = ready()
        #expect(supervisor.handle(.stop, at: at(5)) == [.terminate(router)])
        #expect(supervisor.handle(.ended(router, .status(0)), at: at(6)) == [.terminate(first), .terminate(second)])
        #expect(supervisor.handle(.ended(second, .status(0)), at: at(6)).isEmpty)
        #expect(supervisor.handle(.ended(first, .status(0)), at: at(7)) == [.finished(status: 0)])
        #expect(supervisor.nextDue == nil)
    }

    @Test func aSecondStopKillsAllChildren() {
        var supervisor = ready()
        _ = supervisor.handle(.stop, at: at(5))
        #expect(supervisor.handle(.stop, at: at(5)) == [.kill(0), .kill(1), .kill(2)])
        #expect(supervisor.handle(.stop, at: at(5)).isEmpty)
        #expect(supervisor.handle(.ended(0, .signal(9)), at: at(5)).isEmpty)
        #expect(supervisor.handle(.ended(1, .signal(9)), at: at(5)).isEmpty)
        #expect(supervisor.handle(.ended(2, .signal(9)), at: at(5)) == [.finished(status: 1)])
    }

    @Test func reloadGoesOnlyToReadyChildrenThatReload() {
        var supervisor = supervisor()
        _ = supervisor.handle(.start, at: at(0))
        #expect(supervisor.handle(.reload, at: at(0.5)).isEmpty)
        _ = supervisor.handle(.ready(router, ""), at: at(1))
        #expect(supervisor.handle(.reload, at: at(2)) == [.reload(router)])
        _ = supervisor.handle(.ended(router, .signal(9)), at: at(3))
        #expect(supervisor.handle(.reload, at: at(3)).isEmpty)
    }

    @Test func stageThatDoesNotDrainInTimeIsKilled() {
        var supervisor = ready()
        _ = supervisor.handle(.stop, at: at(5))
        #expect(supervisor.nextDue == at(17))
        #expect(
            supervisor.handle(.due, at: at(17))
                == [.tell("router did not drain in time; killing"), .kill(0), .kill(1), .kill(2)])
    }

    @Test func workerThatDiesWhileTheRouterDrainsIsNotRestarted() {
        var supervisor = ready()
        _ = supervisor.handle(.stop, at: at(5))
        #expect(supervisor.handle(.ended(first, .signal(9)), at: at(5.5)) == [.tell("worker a ended by signal 9")])
        #expect(supervisor.handle(.ended(router, .status(0)), at: at(6)) == [.terminate(second)])
        #expect(supervisor.handle(.ended(second, .status(0)), at: at(7)) == [.finished(status: 1)])
    }

    @Test func stopDoesNotWaitForAChildThatAwaitsItsRestart() {
        var supervisor = ready()
        _ = supervisor.handle(.ended(router, .signal(9)), at: at(2))
        #expect(supervisor.handle(.stop, at: at(2.1)) == [.terminate(first), .terminate(second)])
        #expect(supervisor.nextDue == at(14.1))
    }

    @Test func aChildThatFailsBeforeItWasReadyStopsTheCluster() {
        var supervisor = supervisor()
        _ = supervisor.handle(.start, at: at(0))
        #expect(
            supervisor.handle(.ended(router, .status(1)), at: at(0.1))
                == [
                    .tell("router ended with status 1 before it was ready; stopping"), .terminate(first),
                    .terminate(second),
                ])
        _ = supervisor.handle(.ended(first, .status(0)), at: at(1))
        #expect(supervisor.handle(.ended(second, .status(0)), at: at(1)) == [.finished(status: 1)])
    }

    @Test func childThatIsKilledBeforeItWasReadyIsRestarted() {
        var supervisor = supervisor()
        _ = supervisor.handle(.start, at: at(0))
        #expect(
            supervisor.handle(.ended(first, .signal(9)), at: at(0.1))
                == [.tell("worker a ended by signal 9; restarting in 0.2 s")])
    }

    @Test func aStartThatTakesTooLongStopsTheCluster() {
        var supervisor = supervisor(startWithin: .seconds(60))
        _ = supervisor.handle(.start, at: at(0))
        _ = supervisor.handle(.ready(0, ""), at: at(1))
        #expect(supervisor.nextDue == at(60))
        #expect(
            supervisor.handle(.due, at: at(60))
                == [.tell("worker a, worker b did not get ready in time; stopping"), .terminate(router)])
    }

    @Test func stopWithoutARunningChildEndsAtOnce() {
        var supervisor = Supervisor([.init(name: "router", stage: .router)])
        _ = supervisor.handle(.start, at: at(0))
        _ = supervisor.handle(.ended(0, .signal(9)), at: at(0))
        #expect(supervisor.handle(.stop, at: at(0)) == [.finished(status: 0)])
    }
}
