/// A map of the places in a crop that speak for the network's verdict.
package struct Evidence: Equatable, Sendable {
    /// The most cells of a map in each direction.
    package static let largestSide = 16

    package let width: Int
    package let height: Int
    /// `width` × `height` cells, row by row from the top left. 255 is the strongest evidence for the verdict; 0 is
    /// none, or evidence for the opposite.
    package let cells: [UInt8]

    /// Creates the map of crop `index` from an answer that holds raw logits by place; nil if the network has no maps.
    ///
    /// - Parameters:
    ///   - index: The crop's index in the answer.
    ///   - answer: The network's answer.
    ///   - logit: The crop's calibrated logit. Its sign is the verdict.
    ///   - calibration: The calibration of the network's logits.
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
        // A value that is not a number counts as no evidence.
        cells = strengths.map {
            strongest > 0 && strongest.isFinite ? UInt8(clamping: Int(($0 / strongest * 255).rounded())) : 0
        }
    }
}
