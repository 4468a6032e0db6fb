import RouterCore
import Testing
import Wire

/// Who may ask what.
struct AskerTests {
    private let shop = Asker(.key("shop"), .client)
    private let forum = Asker(.key("forum"), .client)
    private let boss = Asker(.key("boss"), .operator)

    @Test func aClientMayNotLookAtTheStatus() {
        var script = Script()
        #expect(script.ask(1, .status, from: shop) == ["reply 1: 400 not_allowed"])
        #expect(script.ask(2, .status, from: boss) == ["reply 2"])
        #expect(script.ask(3, .models, from: shop) == ["reply 3"])
        #expect(script.ask(4, .ping, from: shop) == ["reply 4: 200"])
    }

    @Test func cancellingAnothersJobNeedsAnOperator() {
        var script = Script()
        script.join("r1")
        for token in 1...3 { script.classify(token, from: shop) { $0.models = ["resnet"] } }
        #expect(script.ask(4, .cancel, id: "job 1", from: forum) == ["reply 4: 400 not_allowed"])
        #expect(script.ask(5, .cancel, id: "job 1", from: shop) == ["reply 1: 408 cancelled", "reply 5: 200"])
        #expect(script.ask(6, .cancel, id: "job 2", from: boss) == ["reply 2: 408 cancelled", "reply 6: 200"])
        #expect(script.score("r1", 3) == ["reply 3: 200"])
    }

    @Test func aClientFindsItsOwnDurableJobsOnly() {
        var script = Script { $0.keepsJournal = true }
        #expect(script.ask(1, .fetch, id: "a", from: shop) == ["find a of shop for 1"])
        #expect(script.ask(2, .fetch, id: "a", from: boss) == ["find a for 2"])
        #expect(script.ask(3, .fetch, id: "a", from: .anybody) == ["find a for 3"])
    }

    @Test func whoHasNoRightsGetsNothingDone() {
        var script = Script()
        script.join("r1")
        let nobody = Asker(.key(""), .none)
        for verb in Verb.allCases {
            #expect(script.ask(1, verb, id: "x", from: nobody) == ["reply 1: 400 not_allowed"], "\(verb)")
        }
        #expect(script.classify(2, from: nobody) == ["reply 2: 400 not_allowed"])
        #expect(script.status.counters.accepted == 0)
    }

    @Test func idempotencyKeysOfDifferentOwnersNeverMeet() {
        var script = Script()
        script.join("r1")
        func ask(_ token: Int, _ asker: Asker) -> [String] {
            script.classify(token, from: asker) {
                $0.models = ["resnet"]
                $0.idempotencyKey = "k"
            }
        }
        #expect(ask(1, shop) == ["job 1 to r1"])
        #expect(ask(2, shop) == [])
        #expect(ask(3, forum) == ["job 3 to r1"])
        #expect(script.score("r1", 1) == ["reply 1: 200", "reply 2: 200"])
        #expect(ask(4, shop) == ["reply 4: 200"])
        #expect(ask(5, Asker(.connection(1), .operator)) == ["job 5 to r1"])
    }
}
