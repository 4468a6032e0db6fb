import BifronsWire
import Testing
import WorkerCore

/// Tests what both kinds of workers have in common, with a locator.
@Suite struct WorkerCoreTests {
    // MARK: Registration

    @Test func helloIsSentOnceTheConnectionIsReady() {
        var script = Script.locator(credit: 8)
        #expect(script.due == nil)
        #expect(script.at(5, .connected(0)) == [.send(0, .hello(hello(8)))])
        #expect(script.at(6, .received(0, .welcome(epoch: 7, heartbeatMilliseconds: 100), nil)) == [])
        #expect(script.due == 106)
    }

    @Test func anUnansweredHelloReconnectsAfterGrowingTimeouts() {
        var script = Script.locator(credit: 8)
        script.at(0, .connected(0))
        #expect(script.due == 2000)
        #expect(script.at(1999, .deadline(progress: 0)) == [])
        #expect(script.at(2000, .deadline(progress: 0)) == [.reconnect(0)])
        #expect(script.due == nil)
        #expect(script.at(2100, .connected(0)) == [.send(0, .hello(hello(8)))])
        #expect(script.due == 6100)
        for _ in 0..<5 {
            script.at(script.due, .deadline(progress: 0))
            script.at(nil, .connected(0))
        }
        #expect(script.due == script.now + 30_000)
        script.at(nil, .received(0, .welcome(epoch: 7, heartbeatMilliseconds: 100), nil))
        script.at(nil, .received(0, .resync, nil))
        #expect(script.due == script.now + 2000)
    }

    @Test func aRouterThatRefusesTheWorkerIsAskedAgainAfterFiveSeconds() {
        var script = Script.locator(credit: 8)
        script.at(0, .connected(0))
        #expect(script.at(1, .received(0, .bye(reason: "unknown model", isFinal: false), nil)) == [])
        #expect(script.due == 5001)
        #expect(script.at(5000, .deadline(progress: 0)) == [])
        #expect(script.at(5001, .deadline(progress: 0)) == [.send(0, .hello(hello(8)))])
    }

    @Test func aFinalByeEndsTheWorker() {
        var script = Script.locator(routers: 2)
        script.register(0, epoch: 7)
        script.locate(1)
        script.locate(2)
        script.at(0, .connected(1))
        script.cut(1)
        #expect(
            script.at(1, .received(1, .bye(reason: "another version", isFinal: true), nil)) == [
                .refused(1, reason: "another version"), .send(0, .bye(epoch: 7)), .finished,
            ])
        #expect(script.due == nil)
        #expect(script.cut(2) == [.release(2)])
    }

    @Test func aRouterOfAnotherProtocolVersionEndsTheWorkerOnceConnected() {
        var script = Script.locator()
        #expect(script.at(0, .receivedForeign(0, version: 3)) == [])
        script.at(0, .connected(0))
        let reason =
            "it speaks version 3 of the worker protocol, and this worker version 5: use the same release of both"
        #expect(
            script.at(1, .receivedForeign(0, version: 3)) == [.refused(0, reason: reason), .finished])
    }

    @Test func resyncDropsTheWaitingJobsAndSendsHelloAgain() {
        var script = Script.locator()
        script.register()
        script.locate(1)
        script.locate(2)
        #expect(script.at(1, .received(0, .resync, nil)) == [.release(2)])
        // The image in work is finished first; nobody waits for its crops any more.
        #expect(script.due == nil)
        #expect(script.cut(1, at: 9) == [.release(1), .send(0, .hello(hello(2)))])
    }

    @Test func aResyncThatCrossesAHelloIsIgnored() {
        var script = Script.locator(credit: 8)
        script.register()
        #expect(script.at(1, .received(0, .resync, nil)) == [.send(0, .hello(hello(8)))])
        #expect(script.at(2, .received(0, .resync, nil)) == [])
        #expect(script.at(3, .received(0, .welcome(epoch: 8, heartbeatMilliseconds: 100), nil)) == [])
        #expect(script.locate(1) == [.locate(1, specifications)])
        #expect(script.cut(1) == [crops(1, epoch: 8)])
    }

    @Test func messagesOfAnOldRegistrationAreIgnored() {
        var script = Script.locator(credit: 8)
        script.register()
        script.at(1, .disconnected(0))
        #expect(script.locate(1) == [.release(1)])
        #expect(script.at(2, .received(0, .welcome(epoch: 9, heartbeatMilliseconds: 100), nil)) == [])
        #expect(script.at(2, .received(0, .resync, nil)) == [])
        #expect(script.at(2, .received(0, .bye(reason: "", isFinal: false), nil)) == [])
        #expect(script.due == nil)
    }

    @Test func anOutOfRangeHeartbeatIntervalIsClamped() {
        var script = Script.locator(credit: 8)
        script.at(0, .connected(0))
        script.at(0, .received(0, .welcome(epoch: 7, heartbeatMilliseconds: 0), nil))
        #expect(script.due == 10)
        script.at(0, .connected(0))
        script.at(0, .received(0, .welcome(epoch: 7, heartbeatMilliseconds: .max), nil))
        #expect(script.due == 60_000)
    }

    // MARK: Heartbeats

    @Test func pingsReportJobsInFlightAndProgress() {
        var script = Script.locator()
        script.register()
        #expect(script.at(100, .deadline(progress: 3)) == [.send(0, .ping(epoch: 7, inFlight: 0, progress: 3))])
        script.at(101, .received(0, .pong(epoch: 7), nil))
        script.locate(1)
        script.locate(2)
        #expect(script.at(200, .deadline(progress: 4)) == [.send(0, .ping(epoch: 7, inFlight: 2, progress: 4))])
        script.cut(1)
        #expect(script.at(300, .deadline(progress: 5)) == [.send(0, .ping(epoch: 7, inFlight: 1, progress: 5))])
        #expect(script.due == 400)
    }

    @Test func missedPingsAreNotSentAfterAPause() {
        var script = Script.locator(credit: 8)
        script.register()
        script.at(250, .received(0, .pong(epoch: 7), nil))
        #expect(script.at(250, .deadline(progress: 0)).count == 1)
        #expect(script.due == 350)
    }

    @Test func aRouterIsLostWithItsJobsAfterThreeMissedHeartbeats() {
        var script = Script.locator()
        script.register()
        script.locate(1, at: 10)
        script.locate(2, at: 10)
        script.at(100, .deadline(progress: 0))
        script.at(200, .deadline(progress: 0))
        script.at(300, .deadline(progress: 0))
        #expect(script.due == 310)
        #expect(script.at(310, .deadline(progress: 0)) == [.release(2), .reconnect(0)])
        #expect(script.due == nil)
        #expect(script.cut(1, at: 320) == [.release(1)])
        #expect(script.at(400, .connected(0)) == [.send(0, .hello(hello(2)))])
    }

    @Test func aWorkerThatWasPausedPingsTheRouterBeforeGivingItUp() {
        var script = Script.locator(credit: 8)
        script.register()
        let ping = WorkerCore.Action.send(0, .ping(epoch: 7, inFlight: 0, progress: 0))
        #expect(script.at(5000, .deadline(progress: 0)) == [ping])
        #expect(script.due == 5100)
        script.at(5001, .received(0, .pong(epoch: 7), nil))
        #expect(script.at(9000, .deadline(progress: 0)) == [ping])
        #expect(script.at(9100, .deadline(progress: 0)) == [ping])
        #expect(script.due == 9200)
        #expect(script.at(9200, .deadline(progress: 0)) == [.reconnect(0)])
    }

    @Test func anyMessageOfTheRouterCountsAsAHeartbeat() {
        var script = Script.locator(credit: 8)
        script.register()
        script.at(250, .received(0, .pong(epoch: 999), nil))
        #expect(script.at(310, .deadline(progress: 0)) == [.send(0, .ping(epoch: 7, inFlight: 0, progress: 0))])
        script.locate(1, at: 540)
        #expect(script.at(600, .deadline(progress: 0)) == [.send(0, .ping(epoch: 7, inFlight: 1, progress: 0))])
    }

    @Test func aClosedConnectionLosesTheRouterAtOnce() {
        var script = Script.locator()
        script.register()
        script.locate(1)
        script.locate(2)
        #expect(script.at(1, .disconnected(0)) == [.release(2)])
        #expect(script.at(2, .connected(0)) == [])
        #expect(script.at(3, .computed(.failed(1, spent))) == [.send(0, .hello(hello(2)))])
    }

    // MARK: Credit

    @Test func creditIsSharedAmongTheConnectedRouters() {
        var script = Script.locator(routers: 2, credit: 9)
        #expect(script.at(0, .connected(0)) == [.send(0, .hello(hello(4)))])
        let welcome = RouterMessage.welcome(epoch: 7, heartbeatMilliseconds: 100)
        // The other router is not connected, so this one gets all the credit.
        #expect(script.at(0, .received(0, welcome, nil)) == [.send(0, .credit(epoch: 7, jobs: 9))])
        #expect(script.at(0, .connected(1)) == [.send(1, .hello(hello(4, bootID: 43)))])
        let second = RouterMessage.welcome(epoch: 8, heartbeatMilliseconds: 100)
        #expect(script.at(0, .received(1, second, nil)) == [.send(0, .credit(epoch: 7, jobs: 4))])
        #expect(script.at(1, .disconnected(0)) == [.send(1, .credit(epoch: 8, jobs: 9))])
    }

    @Test func everyRouterGetsACreditOfAtLeastOne() {
        var script = Script.locator(routers: 3, credit: 1)
        #expect(script.at(0, .connected(2)) == [.send(2, .hello(hello(1, bootID: 44)))])
        for router in 0..<3 { script.register(router) }
        script.locate(1, from: 0)
        #expect(script.locate(2, from: 1) == [])
        script.locate(3, from: 2)
        #expect(script.core.jobsInHand == 3)
    }

    @Test func jobBeyondTheCreditIsRefused() {
        var script = Script.locator(credit: 2)
        script.register()
        script.locate(1)
        script.locate(2)
        let refusal = WireError(.unavailable, code: "over_credit", "the router sent more jobs than the worker's credit")
        #expect(script.locate(3) == [.release(3), .send(0, .fail(.init(epoch: 7, job: 3, error: refusal)))])
    }

    @Test func aLostRoutersJobsAreDroppedAndOthersContinue() {
        var script = Script.locator(routers: 2, credit: 4)
        script.register(0, epoch: 7)
        script.register(1, epoch: 8)
        script.locate(1, from: 0)
        script.locate(2, from: 0)
        script.locate(3, from: 1)
        #expect(
            script.at(1, .disconnected(0)) == [.release(2), .send(1, .credit(epoch: 8, jobs: 4))])
        #expect(script.cut(1, at: 1) == [.release(1), .locate(3, specifications)])
        #expect(script.cut(3, at: 1) == [crops(3, to: 1, epoch: 8, queued: 1000)])
    }

    // MARK: The list of routers

    @Test func aRouterAddedToTheListGetsAShareOfTheCredit() {
        var script = Script.locator(routers: 0, credit: 12)
        #expect(script.due == nil)
        #expect(script.at(0, .listed(0)) == [])
        #expect(script.at(0, .connected(0)) == [.send(0, .hello(hello(12)))])
        script.at(0, .received(0, .welcome(epoch: 7, heartbeatMilliseconds: 100), nil))
        script.at(0, .listed(1))
        #expect(script.at(0, .connected(1)) == [.send(1, .hello(hello(6, bootID: 43)))])
        // A third router connects before the second has answered. The second is told its smaller share later.
        script.at(0, .listed(2))
        let third = [WorkerCore.Action.send(2, .hello(hello(4, bootID: 44)))]
        #expect(script.at(0, .connected(2)) == third)
        #expect(
            script.at(0, .received(2, .welcome(epoch: 9, heartbeatMilliseconds: 100), nil)) == [
                .send(0, .credit(epoch: 7, jobs: 6)), .send(2, .credit(epoch: 9, jobs: 6)),
            ])
        #expect(
            script.at(0, .received(1, .welcome(epoch: 8, heartbeatMilliseconds: 100), nil)) == [
                .send(0, .credit(epoch: 7, jobs: 4)), .send(1, .credit(epoch: 8, jobs: 4)),
                .send(2, .credit(epoch: 9, jobs: 4)),
            ])
    }

    @Test func aRouterRemovedFromTheListIsServedUntilItDisconnects() {
        var script = Script.locator(routers: 2, credit: 4)
        script.register(0, epoch: 7)
        script.register(1, epoch: 8)
        script.locate(1, from: 0)
        #expect(script.at(1, .unlisted(0)) == [])
        script.locate(2, from: 0)
        #expect(script.cut(1, at: 1) == [crops(1, computed: 1000), .locate(2, specifications)])
        #expect(script.cut(2, at: 1).count == 1)
        #expect(script.at(2, .disconnected(0)) == [.leave(0), .send(1, .credit(epoch: 8, jobs: 4))])
        // Its index is reused.
        script.at(3, .listed(0))
        #expect(script.at(4, .connected(0)) == [.send(0, .hello(hello(2)))])
    }

    @Test func aRouterMissingFromTheListForAMomentIsKept() {
        var script = Script.locator(credit: 8)
        script.register()
        #expect(script.at(1, .unlisted(0)) == [])
        #expect(script.at(2, .listed(0)) == [])
        #expect(script.at(3, .disconnected(0)) == [])
        #expect(script.at(4, .connected(0)) == [.send(0, .hello(hello(8)))])
    }

    @Test func aDisconnectedRouterRemovedFromTheListIsLeftAtOnce() {
        var script = Script.locator(routers: 2, credit: 8)
        #expect(script.at(1, .unlisted(1)) == [.leave(1)])
        #expect(script.at(2, .unlisted(1)) == [])
        #expect(script.at(3, .connected(0)) == [.send(0, .hello(hello(8)))])
    }

    @Test func aSilentRouterRemovedFromTheListIsLeft() {
        var script = Script.locator()
        script.register()
        script.locate(1)
        script.locate(2)
        script.at(1, .unlisted(0))
        for time in stride(from: Script.heartbeat, to: 300, by: 100) { script.at(time, .deadline(progress: 0)) }
        #expect(script.at(300, .deadline(progress: 0)) == [.release(2), .leave(0)])
        #expect(script.cut(1, at: 301) == [.release(1)])
    }

    // MARK: Drain

    @Test func drainWithoutJobsEndsAtOnce() {
        var script = Script.locator(credit: 8)
        script.register()
        #expect(script.at(1, .drain) == [.send(0, .drain(epoch: 7)), .send(0, .bye(epoch: 7)), .finished])
        #expect(script.due == nil)
        #expect(script.at(2, .received(0, .resync, nil)) == [])
        #expect(script.locate(1) == [.release(1)])
    }

    @Test func drainWithoutARouterEndsAtOnce() {
        var script = Script.locator(credit: 8)
        #expect(script.at(1, .drain) == [.finished])
    }

    @Test func drainAnswersAllJobsIncludingLateArrivalsThenSaysBye() {
        var script = Script.locator(credit: 3)
        script.register()
        script.locate(1)
        script.locate(2)
        #expect(script.at(10, .drain) == [.send(0, .drain(epoch: 7))])
        #expect(script.at(11, .drain) == [])
        script.locate(3, at: 11)
        #expect(
            script.cut(1, at: 20) == [crops(1, computed: 20_000), .locate(2, specifications)])
        script.cut(2, at: 30)
        #expect(
            script.cut(3, at: 40) == [
                crops(3, queued: 19_000, computed: 10_000), .send(0, .bye(epoch: 7)), .finished,
            ])
    }

    @Test func heartbeatsContinueWhileDraining() {
        var script = Script.locator(credit: 8)
        script.register()
        script.locate(1)
        script.at(10, .drain)
        #expect(script.at(100, .deadline(progress: 1)) == [.send(0, .ping(epoch: 7, inFlight: 1, progress: 1))])
    }

    @Test func noHelloIsSentWhileDraining() {
        var script = Script.locator(routers: 2, credit: 8)
        script.register(0, epoch: 7)
        script.at(0, .connected(1))
        script.locate(1)
        script.at(10, .drain)
        #expect(
            script.at(11, .received(1, .welcome(epoch: 8, heartbeatMilliseconds: 100), nil))
                == [.send(1, .bye(epoch: 8))])
        #expect(script.at(12, .received(0, .resync, nil)) == [])
        #expect(script.cut(1, at: 13) == [.release(1), .finished])
    }

    @Test func drainReleasesTheRemainingJobsAtItsTimeLimit() {
        var script = Script.locator()
        script.register()
        script.locate(1, budget: 60_000)
        script.locate(2, budget: 60_000)
        script.at(0, .drain)
        for time in stride(from: Script.heartbeat, to: 10_000, by: 100) {
            script.at(time, .received(0, .pong(epoch: 7), nil))
            script.at(time, .deadline(progress: 0))
        }
        #expect(script.due == 10_000)
        #expect(
            script.at(10_000, .deadline(progress: 0)) == [.release(2), .send(0, .bye(epoch: 7)), .finished])
        #expect(script.cut(1) == [.release(1)])
    }

    @Test func abandonReleasesAllJobsAndEndsAtOnce() {
        var script = Script.locator()
        script.register()
        script.locate(1)
        script.locate(2)
        #expect(script.at(1, .abandon) == [.release(2), .send(0, .bye(epoch: 7)), .finished])
    }
}
