import BifronsWire
import Testing

@testable import RouterCore

/// The rights of principals.
struct PrincipalTests {
    private let shop = Principal(.key("shop"), .client)
    private let forum = Principal(.key("forum"), .client)
    private let boss = Principal(.key("boss"), .operator)
    private let gate = Principal(.key("gate"), .gateway)

    @Test func aClientMayNotReadTheStatus() {
        var script = Script()
        #expect(script.ask(1, .status, from: shop) == ["reply 1: 400 not_allowed"])
        #expect(script.ask(2, .status, from: boss) == ["reply 2"])
        #expect(script.ask(5, .status, from: gate) == ["reply 5"])
        #expect(script.ask(3, .models, from: shop) == ["reply 3"])
        #expect(script.ask(4, .ping, from: shop) == ["reply 4: 200"])
    }

    @Test func onlyAnOperatorMayCancelAnotherClientsJob() {
        var script = Script()
        script.join("r1")
        for token in 1...3 { script.classify(token, from: shop) { $0.models = ["resnet"] } }
        #expect(script.ask(4, .cancel, id: "job 1", from: forum) == ["reply 4: 400 not_allowed"])
        #expect(script.ask(5, .cancel, id: "job 1", from: shop) == ["reply 1: 408 cancelled", "reply 5: 200"])
        #expect(script.ask(6, .cancel, id: "job 2", from: boss) == ["reply 2: 408 cancelled", "reply 6: 200"])
        #expect(script.score("r1", 3) == ["reply 3: 200"])
    }

    @Test func aClientFindsOnlyItsOwnDurableJobs() {
        var script = Script { $0.keepsJournal = true }
        #expect(script.ask(1, .fetch, id: "a", from: shop) == ["find a of shop for 1"])
        #expect(script.ask(2, .fetch, id: "a", from: boss) == ["find a for 2"])
        #expect(script.ask(3, .fetch, id: "a", from: .anybody) == ["find a for 3"])
    }

    @Test func aPrincipalWithoutRightsIsRefusedEveryVerb() {
        var script = Script()
        script.join("r1")
        let nobody = Principal(.key(""), .none)
        for verb in Verb.allCases {
            #expect(script.ask(1, verb, id: "x", from: nobody) == ["reply 1: 400 not_allowed"], "\(verb)")
        }
        #expect(script.classify(2, from: nobody) == ["reply 2: 400 not_allowed"])
        #expect(script.status.counters.accepted == 0)
    }

    @Test func onlyAGatewayMayNameOwners() {
        for principal in [shop, boss] {
            var script = Script { $0.keepsJournal = true }
            script.join("r1")
            for verb in Verb.allCases where verb != .classify {
                #expect(script.ask(1, verb, id: "a", from: principal, owner: "ann") == ["reply 1: 400 not_allowed"])
            }
            #expect(script.classify(2, from: principal) { $0.owner = "ann" } == ["reply 2: 400 not_allowed"])
            #expect(script.document(2)?.error?.message == "the field 'owner' needs a gateway's key")
        }
        for principal in [gate, .anybody] {
            var script = Script { $0.keepsJournal = true }
            script.join("r1")
            #expect(script.ask(1, .status, from: principal, owner: "ann") == ["reply 1"])
            #expect(script.ask(2, .ping, from: principal, owner: "ann") == ["reply 2: 200"])
            #expect(
                script.classify(3, from: principal) { ($0.owner, $0.models) = ("ann", ["resnet"]) } == ["job 3 to r1"])
        }
    }

    /// The principals that may name owners: a gateway, and a connection where keys are not in use.
    static let gates = [Principal(.key("gate"), .gateway), Principal(.connection(1), .operator)]

    @Test(arguments: gates) func jobsOfAnotherOwnerAreUnknown(gate: Principal) {
        var script = Script { $0.keepsJournal = true }
        script.join("r1")
        let name = gate.jobOwner.key ?? "-"
        #expect(script.ask(1, .fetch, id: "a", from: gate, owner: "ann") == ["find a of \(name)/ann for 1"])
        // Both owners use the same id.
        for (token, owner) in [(2, "ann"), (3, "bob")] {
            script.classify(token, from: gate) { ($0.id, $0.owner, $0.models) = ("a", owner, ["resnet"]) }
        }
        #expect(script.ask(4, .cancel, id: "a", from: gate, owner: "eve") == ["reply 4: 404 unknown_job"])
        let message = script.document(4)?.error?.message
        #expect(script.ask(5, .cancel, id: "b", from: gate, owner: "eve") == ["reply 5: 404 unknown_job"])
        #expect(script.document(5)?.error?.message == message?.replacing("'a'", with: "'b'"))
        #expect(
            script.ask(6, .cancel, id: "a", from: gate, owner: "ann") == ["reply 2: 408 cancelled", "reply 6: 200"])
        #expect(script.ask(7, .cancel, id: "a", from: gate, owner: "ann") == ["reply 7: 404 unknown_job"])
        #expect(script.score("r1", 3) == ["reply 3: 200"])
    }

    @Test func aGatewayThatNamesNoOwnerSeesOnlyItsOwnJobs() {
        var script = Script { $0.keepsJournal = true }
        script.join("r1")
        #expect(script.ask(1, .fetch, id: "a", from: gate) == ["find a of gate for 1"])
        script.classify(2, from: shop) { $0.models = ["resnet"] }
        script.classify(3, from: gate) { ($0.owner, $0.models) = ("ann", ["resnet"]) }
        #expect(script.ask(4, .cancel, id: "job 2", from: gate) == ["reply 4: 404 unknown_job"])
        #expect(script.ask(5, .cancel, id: "job 3", from: gate) == ["reply 5: 404 unknown_job"])
        #expect(script.ask(6, .cancel, id: "job 3", from: boss) == ["reply 3: 408 cancelled", "reply 6: 200"])
    }

    @Test func eachOwnerHasItsOwnClientLimits() {
        var script = Script { $0.maxClientJobs = 1 }
        script.join("r1")
        func ask(_ token: Int, _ owner: String?, _ gate: Principal) -> [String] {
            script.classify(token, from: gate) { ($0.owner, $0.models) = (owner, ["resnet"]) }
        }
        #expect(ask(1, "ann", gate) == ["job 1 to r1"])
        #expect(ask(2, "ann", gate) == ["reply 2: 429 client_queue_full"])
        #expect(ask(3, "bob", gate) == ["job 3 to r1"])
        #expect(ask(4, nil, gate) == ["job 4 to r1"])
        // The owner's limit applies over all connections together.
        #expect(ask(5, "ann", Principal(.connection(1), .operator)) == ["job 5 to r1"])
        #expect(ask(6, "ann", Principal(.connection(2), .operator)) == ["reply 6: 429 client_queue_full"])
    }

    @Test(arguments: gates) func idempotencyKeysOfDifferentOwnersBehindAGatewayAreSeparate(gate: Principal) {
        var script = Script()
        script.join("r1", credit: 9)
        func ask(_ token: Int, _ image: Character, _ owner: String?) -> [String] {
            script.classify(token, image: image, from: gate) {
                ($0.models, $0.idempotencyKey, $0.owner) = (["resnet"], "k", owner)
            }
        }
        #expect(ask(1, "a", "ann") == ["job 1 to r1"])
        #expect(ask(2, "b", "bob") == ["job 2 to r1"])
        #expect(ask(3, "c", nil) == ["job 3 to r1"])
        #expect(ask(4, "a", "ann") == [])
        #expect(script.score("r1", 1, logit: 3) == ["reply 1: 200", "reply 4: 200"])
        #expect(script.score("r1", 2, logit: -3) == ["reply 2: 200"])
        #expect(ask(5, "b", "bob") == ["reply 5: 200"])
        #expect(script.document(5)?.verdict == script.document(2)?.verdict)
        #expect(ask(6, "d", "a") == ["job 6 to r1"])
    }

    @Test func idempotencyKeysOfDifferentClientsAreSeparate() {
        var script = Script()
        script.join("r1")
        func ask(_ token: Int, _ principal: Principal) -> [String] {
            script.classify(token, from: principal) {
                $0.models = ["resnet"]
                $0.idempotencyKey = "k"
            }
        }
        #expect(ask(1, shop) == ["job 1 to r1"])
        #expect(ask(2, shop) == [])
        #expect(ask(3, forum) == ["job 3 to r1"])
        #expect(script.score("r1", 1) == ["reply 1: 200", "reply 2: 200"])
        #expect(ask(4, shop) == ["reply 4: 200"])
        #expect(ask(5, Principal(.connection(1), .operator)) == ["job 5 to r1"])
    }
}
