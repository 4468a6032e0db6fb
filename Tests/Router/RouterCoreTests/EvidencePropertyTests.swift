import BifronsWire
import RouterCore
import TestKit
import Testing

/// What the networks say does not depend on evidence: two routers get the same jobs and scores at the same times, and
/// only one of them has evidence workers, which answer, fail, die or say nothing at random.
struct EvidencePropertyTests {
    @Test(.ownThread, arguments: [1, 2, 3, 4, 5] as [UInt64])
    func probabilitiesAreThoseWithoutEvidenceWorkers(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var with = Script(ensemble: .sampleWithEvidence)
        var without = Script(ensemble: .sampleWithEvidence)
        for name in ["r1", "i1"] {
            with.join(name)
            without.join(name)
        }
        for token in 1...400 {
            for name in ["p1", "k1"] where with[name].epoch == 0 || random.chance(0.2) { with.join(name) }
            let policy = ["default", "strict", "easy"].randomElement(using: &random)!
            for found in [true, false] {
                var script = found ? with : without
                script.classify(token) { $0.policy = policy }
                if found { with = script } else { without = script }
            }
            for name in ["p1", "k1"].shuffled(using: &random) { trouble(name, token, &with, &random) }
            for name in ["r1", "i1"].shuffled(using: &random) {
                let pause = Duration.milliseconds(Int.random(in: 0...40, using: &random))
                with.wait(pause)
                without.wait(pause)
                if random.chance(0.1) {
                    with.fail(name, token, .unprocessable)
                    without.fail(name, token, .unprocessable)
                } else {
                    let logit = Float.random(in: -6...6, using: &random)
                    with.score(name, token, logit: logit)
                    without.score(name, token, logit: logit)
                }
            }
            #expect(without.document(token) != nil)
            with.wait(.milliseconds(100))
            without.wait(.milliseconds(100))
            let (left, right) = (try #require(with.document(token)), try #require(without.document(token)))
            #expect(left.verdict?.aiProbability == right.verdict?.aiProbability && left.status == right.status)
            #expect(left.verdict?.label == right.verdict?.label && left.degraded == right.degraded)
            #expect(left.models == right.models && left.error == right.error && left.faces == right.faces)
            #expect((left.totalMilliseconds ?? 0) <= (right.totalMilliseconds ?? 0) + 100)
        }
    }

    /// Makes an evidence worker do something with a job, if it has it.
    private func trouble(_ name: String, _ token: Int, _ script: inout Script, _ random: inout SeededGenerator) {
        let status = script.workersStatus.first { $0.name == name }
        guard status.map({ $0.inFlight > 0 }) ?? false, script.hasJob(name, token) else { return }
        switch random.next() % 6 {
        case 0, 1: script.examine(name, token, name == "p1" ? .generated : .unknown)
        case 2: script.fail(name, token, random.chance(0.5) ? .unavailable : .unprocessable)
        case 3: script.lose(name, random.chance(0.5) ? .connectionEnded : .silent)
        case 4: script.examine(name, token, name == "p1" ? .unknown : .silent)
        default: break
        }
    }
}
