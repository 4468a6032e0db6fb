import BifronsWire
import Decisions
import TestKit
import Testing

@testable import RouterCore

struct DriftTests {
    private let reference: DriftReference

    init() throws {
        reference = try DriftReference(version: "1", edges: (1...9).map { Double($0) - 5 }, place: "reference.resnet")
    }

    // MARK: The index

    // Each value was computed with numpy, as:
    //     a = (c + 0.5) / (c.sum() + 5); ((a - 0.1) * np.log(a / 0.1)).sum()
    @Test(arguments: [
        ([50, 50, 50, 50, 50, 50, 50, 50, 50, 50], 0.0),
        ([10, 20, 30, 40, 50, 60, 70, 80, 90, 100], 0.33711506058450386),
        ([500, 0, 0, 0, 0, 0, 0, 0, 0, 0], 6.15631613998386),
        ([60, 55, 50, 45, 40, 50, 50, 50, 50, 50], 0.009914390857862266),
    ]) func theIndexIsThatOfTheLiterature(counts: [Int], expected: Double) {
        #expect(abs(PopulationStability.index(counts) - expected) < 1e-12)
    }

    @Test func aSampleOfTheReferenceStaysFarBelowTheUsualThreshold() {
        var random = SystemRandomNumberGenerator()
        var counts = [Int](repeating: 0, count: DriftReference.bins)
        for _ in 0..<PopulationStability.minimum { counts[Int.random(in: 0..<10, using: &random)] += 1 }
        // Chi-squared with nine degrees of freedom is above 50 once in ten million times.
        #expect(PopulationStability.index(counts) < 0.1)
    }

    // MARK: The reference

    @Test func aLogitGoesToTheBinBetweenItsEdges() {
        let found = [-100, -4, -3.5, 0, 0.5, 4, 4.01, 100].map { reference.bin(of: $0) }
        #expect(found == [0, 0, 1, 4, 5, 8, 9, 9])
    }

    @Test(arguments: [
        [], [1, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 8], [9, 8, 7, 6, 5, 4, 3, 2, 1],
        [1, 2, 3, 4, 5, 6, 7, 8, .infinity], [1, 2, .nan, 4, 5, 6, 7, 8, 9],
    ]) func edgesMustBeNineAscendingNumbers(edges: [Double]) {
        #expect(throws: Ensemble.Invalid.self) {
            try DriftReference(version: "1", edges: edges, place: "reference.resnet")
        }
    }

    // MARK: The window

    @Test func countsLeaveTheWindowAfterADay() {
        var counts = SlidingCounts(width: 2, hour: 5)
        counts.add(0, hour: 5)
        counts.add(1, hour: 20)
        counts.add(1, hour: 19)
        #expect(counts.totals(hour: 28) == [1, 2])
        #expect(counts.totals(hour: 29) == [0, 2])
        #expect(counts.totals(hour: 1_000_000) == [0, 0])
        counts.add(0, hour: 1_000_000)
        #expect(counts.totals(hour: 1_000_000) == [1, 0])
    }

    @Test func theIndexIsGivenFromTheMinimumOfFacesOn() throws {
        var drift = Drift()
        func entry() throws -> DriftReport.Model {
            try #require(drift.report(id: nil, of: .all, at: .zero).models.first)
        }
        for _ in 1..<PopulationStability.minimum {
            drift.count(logit: 9, model: "resnet", version: "1", reference, tenant: "ann", at: .zero)
        }
        #expect(try entry().psi == nil)
        #expect(try entry().shares == nil)
        #expect(try entry().faces == PopulationStability.minimum - 1)
        drift.count(logit: 9, model: "resnet", version: "1", reference, tenant: "ann", at: .zero)
        #expect(try entry().psi == PopulationStability.index([0, 0, 0, 0, 0, 0, 0, 0, 0, 500]))
        #expect(try entry().shares == [0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    }

    @Test func anotherVersionThanThatOfTheReferenceIsNotMeasured() {
        var drift = Drift()
        drift.count(logit: 0, model: "resnet", version: "2", reference, tenant: nil, at: .zero)
        #expect(drift.report(id: nil, of: .all, at: .zero).models.isEmpty)
    }

    @Test func tenantsAreApartAndEachMaySeeItself() {
        var drift = Drift()
        for tenant in ["ann", "bob", nil] {
            drift.count(logit: 0, model: "resnet", version: "1", reference, tenant: tenant, at: .zero)
            drift.count(.png, isFaceless: tenant == "bob", tenant: tenant, at: .zero)
        }
        let all = drift.report(id: nil, of: .all, at: .zero)
        #expect(all.models.map(\.tenant) == [nil, "ann", "bob"])
        #expect(all.images.map(\.withoutFace) == [0, 0, 1])
        let bob = drift.report(id: nil, of: .one("bob"), at: .zero)
        #expect(bob.models.map(\.tenant) == ["bob"])
        #expect(bob.images.map(\.formats["png"]) == [1])
        #expect(drift.report(id: nil, of: .one("eve"), at: .zero).images.isEmpty)
    }

    @Test func memoryIsBoundedAndFreedAfterADay() {
        var drift = Drift()
        for number in 0..<1000 {
            drift.count(.jpeg, isFaceless: false, tenant: "t\(number)", at: .zero)
            drift.count(logit: 0, model: "resnet", version: "1", reference, tenant: "t\(number)", at: .zero)
        }
        #expect(drift.report(id: nil, of: .all, at: .zero).images.count == Drift.most)
        #expect(drift.report(id: nil, of: .all, at: .zero).models.count == Drift.most)
        let later = Duration.seconds(25 * 3600)
        drift.count(.jpeg, isFaceless: false, tenant: "new", at: later)
        #expect(drift.report(id: nil, of: .all, at: later).images.map(\.tenant) == ["new"])
    }

    // MARK: The router

    @Test func theRouterCountsEachFaceAndEachImageWithoutOne() throws {
        var script = Script()
        for name in ["r1", "i1"] { script.join(name, scoring: .sample) }
        script.faces = [WorkerMessage.Face(box: Box(x: 0, y: 0, width: 9, height: 9))]
        for token in 1...PopulationStability.minimum {
            script.classify(token)
            script.score("r1", token, logit: 4.5)
            script.score("i1", token)
        }
        script.faces = []
        script.classify(-2)
        script.score("r1", -2, logit: 0)
        script.score("i1", -2)
        script.ask(-3, .drift)
        guard case .drift(let report)? = script.replies[-3] else { preconditionFailure() }
        #expect(report.images.map(\.count) == [PopulationStability.minimum + 1])
        #expect(report.images.map(\.withoutFace) == [1])
        // The ensemble has a reference only of resnet.
        #expect(report.models.map(\.model) == ["resnet"])
        #expect(report.models.map(\.faces) == [PopulationStability.minimum])
        #expect(report.models[0].shares?.last == 1)
        #expect(try DriftReport.decode(report.encoded()) == report)
    }
}
