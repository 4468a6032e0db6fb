import BifronsWire
import RouterCore
import Testing

/// The bounds of the queue, and when refused clients may come again.
struct AdmissionTests {
    @Test func theQueueIsBoundedByCount() {
        var script = Script { $0.maxJobs = 2 }
        script.join("r1", credit: 1)
        for token in 1...2 { script.classify(token) { $0.models = ["resnet"] } }
        #expect(script.classify(3) == ["reply 3: 429 queue_full"])
        #expect(script.status.counters.rejected == 1)
        #expect(script.score("r1", 1) == ["reply 1: 200", "job 2 to r1"])
        #expect(script.classify(4) { $0.models = ["resnet"] } == [])
        #expect(script.classify(5) == ["reply 5: 429 queue_full"])
    }

    @Test func theQueueIsBoundedByBytes() {
        var script = Script { $0.maxBytes = 1000 }
        script.join("r1", credit: 1)
        script.classify(1, bytes: 600) { $0.models = ["resnet"] }
        #expect(script.classify(2, bytes: 401) == ["reply 2: 429 queue_full"])
        #expect(script.classify(3, bytes: 400) { $0.models = ["resnet"] } == [])
        #expect(script.status.queue.bytes == 1000)
        script.score("r1", 1)
        #expect(script.status.queue.bytes == 400)
        #expect(script.classify(4, bytes: 601) == ["reply 4: 429 queue_full"])
        #expect(script.classify(5, bytes: 600) { $0.models = ["resnet"] } == [])
    }

    @Test func aClientCannotFillTheQueueAlone() {
        let (shop, forum) = (Principal(.key("shop"), .client), Principal(.connection(7), .operator))
        var script = Script {
            $0.maxClientJobs = 2
            $0.maxClientBytes = 1000
        }
        script.join("r1", credit: 1)
        func ask(_ token: Int, _ principal: Principal, bytes: Int = 100) -> [String] {
            script.classify(token, bytes: bytes, from: principal) { $0.models = ["resnet"] }
        }
        #expect(ask(1, shop) == ["job 1 to r1"])
        #expect(ask(2, shop) == [])
        #expect(ask(3, shop) == ["reply 3: 429 client_queue_full"])
        #expect(script.document(3)?.retryAfterMilliseconds != nil)
        #expect(ask(4, forum, bytes: 600) == [])
        // The crops of each of its jobs add 18 bytes.
        #expect(ask(5, forum, bytes: 383) == ["reply 5: 429 client_queue_full"])
        #expect(ask(6, forum, bytes: 382) == [])
        #expect(script.score("r1", 1) == ["reply 1: 200", "job 2 to r1"])
        #expect(ask(7, shop, bytes: 883) == ["reply 7: 429 client_queue_full"])
        #expect(ask(8, shop, bytes: 882) == [])
    }

    @Test func theByteLimitCountsTheWholeMessage() {
        var script = Script {
            $0.maxBytes = 1000
            $0.imageBytes = 100
        }
        script.join("r1", credit: 1)
        script.classify(1, bytes: 1, and: 600) { $0.models = ["resnet"] }
        #expect(script.status.queue.bytes == 601)
        #expect(script.classify(2, bytes: 1, and: 399) == ["reply 2: 429 queue_full"])
        #expect(script.classify(3, bytes: 101) == ["reply 3: 413 image_too_large"])
        script.score("r1", 1)
        #expect(script.status.queue.bytes == 0)
    }

    @Test func jobsThatShareAKeyCountTowardsTheQueueLimit() {
        var script = Script { $0.maxJobs = 2 }
        script.join("r1")
        for token in 1...2 { script.classify(token) { $0.idempotencyKey = "k" } }
        #expect(script.classify(3) { $0.idempotencyKey = "k" } == ["reply 3: 429 queue_full"])
    }

    @Test func aFullQueueStillNamesUnknownModelsAndAnswersOtherRequests() {
        var script = Script { $0.maxJobs = 0 }
        script.join("r1")
        #expect(script.classify(1) { $0.models = ["vgg"] } == ["reply 1: 404 unknown_model"])
        #expect(script.ask(2, .ping) == ["reply 2: 200"])
        #expect(script.ask(3, .status) == ["reply 3"])
    }

    /// Returns a full queue that drains at 100 answers per second.
    private func busy() -> Script {
        var script = Script { $0.maxJobs = 10 }
        script.join("r1", credit: 1)
        for token in 1...10 { script.classify(token) { $0.models = ["resnet"] } }
        for token in 1...3000 {
            script.wait(.milliseconds(10))
            script.score("r1", token)
            script.classify(token + 10) { $0.models = ["resnet"] }
        }
        return script
    }

    @Test func spacesTheRetriesOfRefusedJobsByTheDrainRate() {
        var script = busy()
        let waits = (0..<20).map { index in
            script.classify(10_000 + index)
            return script.document(10_000 + index)?.retryAfterMilliseconds ?? 0
        }
        for (index, wait) in waits.enumerated() {
            #expect(abs(Double(wait) - 10 * Double(index + 1)) <= 2 + 0.02 * Double(wait), "\(waits)")
        }
    }

    @Test func idleTimeDoesNotLowerTheMeasuredDrainRate() {
        var script = busy()
        for token in 3001...3010 {
            script.wait(.milliseconds(10))
            script.score("r1", token)
        }
        #expect(script.status.queue.jobs == 0)
        script.wait(.seconds(120))
        #expect(script.status.router.answersPerSecond < 0.01)
        for token in 5001...5010 { script.classify(token) { $0.models = ["resnet"] } }
        script.classify(6000)
        let wait = script.document(6000)?.retryAfterMilliseconds ?? 0
        #expect((9...12).contains(wait), "\(wait)")
    }

    @Test func retryTimesShrinkAsTimePasses() {
        var script = busy()
        for index in 0..<20 { script.classify(10_000 + index) }
        script.wait(.milliseconds(150))
        script.classify(11_000)
        let wait = script.document(11_000)?.retryAfterMilliseconds ?? 0
        #expect((50...70).contains(wait), "\(wait)")
    }

    /// Returns a queue full with eight jobs, and how long a ninth job, with the id "late", was lines to wait.
    private func full() -> (script: Script, wait: Duration) {
        var script = Script { $0.maxJobs = 8 }
        script.join("r1", credit: 1)
        for token in 1...8 { script.classify(token) { $0.models = ["resnet"] } }
        #expect(script.classify(9) { $0.id = "late" } == ["reply 9: 429 queue_full"])
        return (script, .milliseconds(script.document(9)?.retryAfterMilliseconds ?? 0))
    }

    @Test func aJobThatReturnsAtItsRetryTimeGetsItsReservedPlace() {
        var (script, wait) = full()
        script.score("r1", 1)
        #expect(script.classify(10) { $0.id = "new" } == ["reply 10: 429 queue_full"])
        script.wait(wait)
        #expect(script.classify(11) { $0.id = "late" } == [])
        // The place is used up: the same job now waits like any other.
        #expect(script.classify(12) { $0.id = "late" } == ["reply 12: 429 queue_full"])
    }

    @Test func aJobThatReturnsBeforeItsRetryTimeIsRefused() {
        var (script, wait) = full()
        script.score("r1", 1)
        script.wait(wait - .milliseconds(1))
        #expect(script.classify(10) { $0.id = "late" } == ["reply 10: 429 queue_full"])
    }

    @Test func aReservedPlaceIsNotGivenToAnotherClientWithTheSameID() {
        var (script, wait) = full()
        script.score("r1", 1)
        script.wait(wait)
        let other = Principal(.connection(7), .operator)
        #expect(script.classify(10, from: other) { $0.id = "late" } == ["reply 10: 429 queue_full"])
        #expect(script.classify(11) { $0.id = "late" } == [])
    }

    @Test func aReservedPlaceExpiresSoonAfterTheRetryTime() {
        var (script, wait) = full()
        script.score("r1", 1)
        script.wait(wait + .milliseconds(2000))
        #expect(script.classify(10) { $0.id = "new" } == [])
    }

    @Test func expiredPlacesShortenTheRetryTimesOfLaterJobs() {
        var script = Script { $0.maxJobs = 8 }
        script.join("r1", credit: 1)
        for token in 1...8 { script.classify(token) { ($0.models, $0.budgetMilliseconds) = (["resnet"], 600_000) } }
        // As long as the pace is unknown, ten answers per second are assumed: a line of ten seconds.
        for token in 101...200 { script.classify(token) }
        #expect(script.document(200)?.retryAfterMilliseconds == 10_000)
        // The turns of the first two seconds have passed, and so has the time for which their places are kept.
        script.wait(.seconds(4))
        script.classify(201)
        #expect(script.document(201)?.retryAfterMilliseconds == 4100)
    }

    /// The lines share the pace, and each client has its own.
    @Test func aFloodingClientDelaysOnlyItsOwnRetries() {
        var script = Script { $0.maxJobs = 8 }
        script.join("r1", credit: 1)
        for token in 1...8 { script.classify(token) { ($0.models, $0.budgetMilliseconds) = (["resnet"], 600_000) } }
        for token in 101...200 { script.classify(token) }
        let other = Principal(.connection(7), .client)
        for token in 201...203 { script.classify(token, from: other) }
        #expect((201...203).map { script.document($0)?.retryAfterMilliseconds } == [200, 400, 600])
        // When the first client's line has ended, the second and a new client share the pace.
        script.wait(.milliseconds(600))
        script.classify(301, from: Principal(.connection(8), .client))
        #expect(script.document(301)?.retryAfterMilliseconds == 200)
        script.score("r1", 1)
        #expect(script.classify(302) { $0.id = "new" } == ["reply 302: 429 queue_full"])
        #expect(script.classify(303, from: other) { $0.id = "job 201" } == [])
    }

    @Test func aRefusedJobWithoutAnIDReservesNoPlace() {
        var script = Script { $0.maxJobs = 8 }
        script.join("r1", credit: 1)
        for token in 1...8 { script.classify(token) { $0.models = ["resnet"] } }
        #expect(script.classify(9) { $0.id = nil } == ["reply 9: 429 queue_full"])
        script.score("r1", 1)
        #expect(script.classify(10) { $0.id = "new" } == [])
    }

    @Test func retryTimesStayBetweenOneMillisecondAndOneMinute() {
        var script = Script { $0.maxJobs = 1 }
        script.join("r1", credit: 0)
        script.classify(1) { $0.budgetMilliseconds = 600_000 }
        for token in 2...2000 {
            script.classify(token)
            let wait = script.document(token)?.retryAfterMilliseconds ?? 0
            #expect((1...60_000).contains(wait))
        }
        #expect(script.document(2)?.retryAfterMilliseconds == 100)
        #expect(script.document(3)?.retryAfterMilliseconds == 200)
        #expect(script.document(2000)?.retryAfterMilliseconds == 60_000)
    }
}
