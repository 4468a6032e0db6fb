/// Where in its square a network found what speaks for its answer.
package struct Evidence: Equatable, Sendable {
    /// The most cells across or down that a map may have.
    package static let largestSide = 16

    package let width: Int
    package let height: Int
    /// `width` × `height` cells, row by row from the top left: 255 is the strongest evidence for what the model says, 0 is
    /// none, or evidence for the opposite.
    package let cells: [UInt8]

    /// The map of picture `index` of an answer, whose cells are raw logits by place; nil without maps.
    ///
    /// - Parameter logit: the picture's calibrated one; its sign is what the model says.
    init?(of index: Int, in answer: Network.Answer, _ logit: Float, _ calibration: Manifest.Calibration) {
        guard let (width, height) = answer.mapSize else { return nil }
        let count = width * height
        let sign = logit < 0 ? -1.0 : 1.0
        let strengths = answer.cells[(index * count)..<((index + 1) * count)].map { cell in
            max(0, sign * (calibration.scale * Double(cell) + calibration.bias))
        }
        let strongest = strengths.max() ?? 0
        self.width = width
        self.height = height
        // What is not a number is no evidence, either.
        cells = strengths.map {
            strongest > 0 && strongest.isFinite ? UInt8(clamping: Int(($0 / strongest * 255).rounded())) : 0
        }
    }
}
