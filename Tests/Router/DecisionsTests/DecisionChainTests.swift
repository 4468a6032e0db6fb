import BifronsWire
import Decisions
import Testing

struct DecisionChainTests {
    private func chain(_ count: Int) throws -> [DecisionLink] {
        let ensemble = try Sample.ensemble()
        var links: [DecisionLink] = []
        for number in 1...count {
            let decision = try Sample.decision(
                UInt64(number), [[Float(number), nil]], in: ensemble, tenant: number.isMultiple(of: 2) ? "shop" : nil,
                subject: Subject(type: "user", id: "u\(number)"))
            links.append(
                DecisionLink(
                    decision, sequence: Int64(number), time: Int64(1000 - number), salt: [UInt8(number), 7],
                    after: links.last?.hash ?? DecisionLink.origin))
        }
        return links
    }

    @Test func aChainIsValidAlsoWhenTheClockStepsBack() throws {
        var previous: DecisionLink?
        for link in try chain(5) {
            #expect(link.problem(after: previous) == nil)
            previous = link
        }
    }

    @Test func anErasedLinkStaysValid() throws {
        var links = try chain(3)
        (links[1].personal, links[1].salt) = (nil, nil)
        #expect(links[1].problem(after: links[0]) == nil)
        #expect(links[2].problem(after: links[1]) == nil)
        #expect(try links[1].decision().personal.subject == nil)
        #expect(try links[1].decision().body == chain(3)[1].decision().body)
    }

    @Test func anyFlippedByteIsFound() throws {
        let links = try chain(2)
        let link = links[1]
        func problem(_ change: (inout DecisionLink) -> Void) -> String? {
            var changed = link
            change(&changed)
            return changed.problem(after: links[0])
        }
        for index in link.body.indices { #expect(problem { $0.body[index] ^= 1 } != nil) }
        for index in 0..<32 {
            #expect(problem { $0.hash[index] ^= 0x80 } != nil)
            #expect(problem { $0.previous[index] ^= 1 } != nil)
            #expect(problem { $0.commitment[index] ^= 1 } != nil)
        }
        for index in (link.personal ?? []).indices { #expect(problem { $0.personal?[index] ^= 1 } != nil) }
        #expect(problem { $0.salt?[0] ^= 1 } != nil)
        #expect(problem { $0.salt = nil } != nil)
        #expect(problem { $0.personal = nil } != nil)
        #expect(problem { $0.time += 1 } != nil)
        #expect(problem { $0.number += 1 } != nil)
        #expect(problem { $0.tenant = nil } != nil)
        #expect(problem { $0.tenant = "shoq" } != nil)
        #expect(problem { $0.sequence += 1 } == "follows decision 1, so the ones between them are missing")
    }

    @Test func aSaltHidesTheSubject() throws {
        let decision = try Sample.decision(
            1, [[1, 1]], in: try Sample.ensemble(), subject: Subject(type: "user", id: "ann"))
        let commitments = Set(
            [[1], [2]].map {
                DecisionLink(decision, sequence: 1, time: 1, salt: $0, after: DecisionLink.origin).commitment
            })
        #expect(commitments.count == 2)
    }
}
