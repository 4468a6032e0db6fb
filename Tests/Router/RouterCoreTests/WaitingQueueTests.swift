import BifronsWire
import RouterCore
import TestKit
import Testing

/// The order of waiting jobs.
struct WaitingQueueTests {
    /// Returns the jobs that waited for one worker, in the order in which it got them.
    private func order(_ script: inout Script, _ tokens: [Int]) -> [Int] {
        var order: [Int] = []
        var lines = script.say("r1", script["r1"].credit(1))
        for _ in tokens {
            guard let words = lines.last?.split(separator: " "), words[0] == "job" else { break }
            order.append(Int(words[1])!)
            lines = script.score("r1", order.last!)
        }
        return order
    }

    private func waiting(_ requests: [(token: Int, priority: Int, after: Duration)]) -> Script {
        var script = Script()
        script.join("r1", credit: 0)
        for request in requests {
            script.wait(request.after)
            script.classify(request.token) {
                $0.models = ["resnet"]
                $0.priority = request.priority
                $0.budgetMilliseconds = 600_000
            }
        }
        return script
    }

    @Test func jobsOfEqualPriorityGoInOrderOfArrival() {
        var script = waiting((1...20).map { ($0, 4, .zero) })
        #expect(order(&script, Array(1...20)) == Array(1...20))
    }

    @Test func higherPrioritiesGoFirst() {
        var script = waiting((0...9).map { ($0, $0, .zero) })
        #expect(order(&script, Array(0...9)) == (0...9).reversed())
    }

    @Test func onePriorityLevelIsAHeadStartOf250Milliseconds() {
        var script = waiting([(1, 4, .zero), (2, 5, .milliseconds(249)), (3, 5, .milliseconds(2))])
        #expect(order(&script, [1, 2, 3]) == [2, 1, 3])
    }

    @Test func theLowestPriorityIsNotStarvedByTheHighest() {
        var script = waiting([(0, 0, .zero)] + (1...40).map { ($0, 9, .milliseconds(100)) })
        let order = order(&script, Array(0...40))
        // Nine steps of 250 ms: jobs that came within 2.25 s go before it, later ones behind it.
        #expect(order.firstIndex(of: 0) == 22)
    }

    @Test func jobsThatTimeOutWhileWaitingLeaveTheQueue() {
        var script = Script()
        script.join("r1", credit: 0)
        for token in 1...500 {
            script.classify(token) {
                $0.models = ["resnet"]
                $0.budgetMilliseconds = token % 10 == 0 ? 600_000 : 100
            }
        }
        #expect(script.status.models[0].waiting == 500)
        script.wait(.milliseconds(100))
        #expect(script.status.models[0].waiting == 50)
        script.classify(501) { $0.models = ["resnet"] }
        #expect(script.status.models[0].waiting == 51)
        #expect(order(&script, Array(1...501)) == stride(from: 10, through: 500, by: 10) + [501])
        #expect(script.status.models[0].waiting == 0)
    }
}
