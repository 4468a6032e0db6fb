import BifronsWire
import Testing

@testable import RouterCore

struct LedgerTests {
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
        var ledger = Ledger()
        let ann = Principal(.key("ann"), .client)
        let serials = [ann, .anybody, ann, .anybody].map { ledger.add(request("a", $0)) }
        _ = ledger.add(request(nil, ann))
        #expect(ledger.serial(ofID: "a") == serials[3])
        #expect(ledger.serial(ofID: "a", of: ann.jobOwner) == serials[2])
        #expect(ledger.serial(ofID: "b") == nil)
        #expect(ledger.serial(ofID: "a", of: JobOwner(key: "bob")) == nil)
        _ = ledger.remove(serials[2])
        #expect(ledger.serial(ofID: "a", of: ann.jobOwner) == serials[0])
        _ = ledger.remove(serials[3])
        #expect(ledger.serial(ofID: "a") == serials[1])
        _ = ledger.remove(serials[0])
        #expect(ledger.serial(ofID: "a", of: ann.jobOwner) == nil)
        _ = ledger.remove(serials[1])
        #expect(ledger.serial(ofID: "a") == nil)
    }

    @Test func aKeyKeepsItsContentUntilItsLastRequestIsRemoved() {
        var ledger = Ledger()
        let (first, second) = (request("a", key: "k"), request("b", key: "k"))
        let key = ScopedKey(jobOwner: JobOwner(key: nil), key: "k")
        let serials = [first, second].map { ledger.add($0) }
        _ = ledger.remove(serials[0])
        #expect(ledger.content(of: key) == first.content)
        #expect(ledger.content(of: ScopedKey(jobOwner: JobOwner(key: "ann"), key: "k")) == nil)
        _ = ledger.remove(serials[1])
        #expect(ledger.content(of: key) == nil)
    }
}
