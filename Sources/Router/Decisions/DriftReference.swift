/// Where a model's calibrated logits lay at its calibration, as `ensemble.json` has it.
package struct DriftReference: Equatable, Sendable {
    /// The number of bins, each of which had the same share of the logits.
    package static let bins = 10

    /// The version of the model.
    package let version: String
    /// The ascending edges between the bins.
    package let edges: [Double]

    /// - Parameter place: what an error names.
    package init(version: String, edges: [Double], place: String) throws(Ensemble.Invalid) {
        guard edges.count == Self.bins - 1, edges.allSatisfy(\.isFinite),
            zip(edges, edges.dropFirst()).allSatisfy({ $0 < $1 })
        else {
            throw Ensemble.Invalid(
                message: "'\(place).edges' must have \(Self.bins - 1) ascending numbers; write them with "
                    + "bifrons_training.make_reference")
        }
        self.version = version
        self.edges = edges
    }

    /// Returns the index of the bin of a logit. A logit that equals an edge belongs below it.
    package func bin(of logit: Float) -> Int {
        edges.firstIndex { Double(logit) <= $0 } ?? edges.count
    }
}
