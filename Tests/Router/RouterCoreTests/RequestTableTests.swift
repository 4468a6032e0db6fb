import BifronsWire
import Decisions
import Testing

@testable import RouterCore

struct RequestTableTests {
    @Test func aJobIDEncodesTheLocatorEveryModelOfAnEnsembleAndItsEvidence() {
        for serial: UInt64 in [1, 2, 1 << 40] {
            for step in 0...Ensemble.maxModels + EvidenceKind.allCases.count {
                let job = JobID(serial: serial, step: step)
                #expect(job.serial == serial)
                #expect(job.step == step)
                #expect(job < JobID(serial: serial + 1, step: 0))
            }
        }
    }

    private func request(_ id: String?, _ principal: Principal = .anybody, key: String? = nil, image: UInt8 = 1)
        -> Request
    {
        var header = RequestHeader(verb: .classify, id: id)
        header.idempotencyKey = key
        return Request(
            token: 0, header: header, principal: principal, sha256: [image], bytes: 1,
            received: Instant(nanoseconds: 0),
            pools: [2, 0])
    }

    @Test func anIDRefersToItsLatestJobOverallAndPerOwner() {
        var table = RequestTable()
        let ann = Principal(.key("ann"), .client)
        let serials = [ann, .anybody, ann, .anybody].map { table.add(request("a", $0)) }
        _ = table.add(request(nil, ann))
        #expect(table.serial(ofID: "a") == serials[3])
        #expect(table.serial(ofID: "a", of: ann.jobOwner) == serials[2])
        #expect(table.serial(ofID: "b") == nil)
        #expect(table.serial(ofID: "a", of: JobOwner(key: "bob")) == nil)
        _ = table.remove(serials[2])
        #expect(table.serial(ofID: "a", of: ann.jobOwner) == serials[0])
        _ = table.remove(serials[3])
        #expect(table.serial(ofID: "a") == serials[1])
        _ = table.remove(serials[0])
        #expect(table.serial(ofID: "a", of: ann.jobOwner) == nil)
        _ = table.remove(serials[1])
        #expect(table.serial(ofID: "a") == nil)
    }

    @Test func aKeyKeepsItsContentUntilItsLastRequestIsRemoved() {
        var table = RequestTable()
        let (first, second) = (request("a", key: "k"), request("b", key: "k"))
        let key = ScopedKey(jobOwner: JobOwner(key: nil), key: "k")
        let serials = [first, second].map { table.add($0) }
        _ = table.remove(serials[0])
        #expect(table.content(of: key) == first.content)
        #expect(table.content(of: ScopedKey(jobOwner: JobOwner(key: "ann"), key: "k")) == nil)
        _ = table.remove(serials[1])
        #expect(table.content(of: key) == nil)
    }
}
