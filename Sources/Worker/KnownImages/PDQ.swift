import Glibc
package import ImageDecoding

/// The PDQ hash of an image and its quality.
///
/// The algorithm is the one that Facebook published in "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing
/// Algorithm" (2019): luminance, a tent filter down to 64 × 64 points (``LuminanceGrid``), the 16 × 16 lowest
/// frequencies of the discrete cosine transform without the constant one, and a bit for each that is above their
/// median. Every step computes in `Float` and adds in the same order as the reference implementation. For equal pixels,
/// the result equals that of the PyPI package `pdqhash` on x86-64 in every bit.
package struct PDQ: Hashable, Sendable {
    /// The lowest quality at which a hash may match. The hash of a plain image consists of rounding errors.
    package static let minimumQuality = 50
    /// The shortest side, in pixels, of an image with a hash. A smaller image has the hash 0 and the quality 0.
    package static let minimumSide = 5
    /// The number of frequencies in each direction.
    private static let frequencies = 16

    /// Bit `16 * i + j` is set if the coefficient of vertical frequency `i + 1` and horizontal frequency `j + 1`, in
    /// half waves per image, is above the median of all coefficients.
    package let hash: Bits256
    /// The amount of detail in the image, from 0 (plain) to 100.
    package let quality: Int

    /// What stands for the hash of an image that has none. It matches nothing.
    package static let none = PDQ(hash: Bits256(words: .zero), quality: 0)

    package init(hash: Bits256, quality: Int) {
        self.hash = hash
        self.quality = quality
    }

    /// Computes the hash of an upright image. The time is proportional to the number of pixels. The working memory is
    /// about 4 bytes for each pixel of 1/128 of the rows.
    package init(of image: RGBImage) {
        guard min(image.width, image.height) >= Self.minimumSide else {
            self.init(hash: Bits256(words: .zero), quality: 0)
            return
        }
        let grid = LuminanceGrid(image)
        self.init(hash: Self.bits(of: Self.transform(grid.values)), quality: Self.quality(of: grid.values))
    }

    /// Whether the quality is high enough for a match.
    package var isReliable: Bool { quality >= Self.minimumQuality }

    /// Returns the factor, 1, 2, 4 or 8, by which a decoder may reduce an image before it is hashed. The shorter side
    /// keeps at least 512 pixels, so that the hash changes by a few bits at most.
    ///
    /// - Parameters:
    ///   - width: The image's full width in pixels.
    ///   - height: Its full height in pixels.
    package static func reduction(width: Int, height: Int) -> Int {
        [8, 4, 2].first { min(width, height) >= 512 * $0 } ?? 1
    }

    /// Returns the quality: the sum of the differences between neighbouring points divided by 90, at most 100. Each
    /// difference is in percent of the range of values, rounded towards zero, so slight gradients do not count.
    private static func quality(of grid: [Float]) -> Int {
        let side = LuminanceGrid.side
        var sum = 0
        func add(_ first: Float, _ second: Float) { sum += abs(Int((first - second) * 100 / 255)) }
        for row in 0..<side {
            for column in 0..<side {
                let value = grid[row * side + column]
                if row + 1 < side { add(value, grid[(row + 1) * side + column]) }
                if column + 1 < side { add(value, grid[row * side + column + 1]) }
            }
        }
        return min(sum / 90, 100)
    }

    /// The matrix of the cosine transform, 16 rows of 64: element (i, k) is
    /// `sqrt(2 / 64) * cos(π / 128 * (i + 1) * (2 * k + 1))`.
    private static let cosines: [Float] = (0..<frequencies).flatMap { frequency in
        let side = LuminanceGrid.side
        let scale = Double(Float(sqrt(2.0 / Double(side))))
        let step = Double.pi / 2 / Double(side) * Double(frequency + 1)
        return (0..<side).map { point in Float(scale * cos(step * Double(2 * point + 1))) }
    }

    /// Returns the coefficients of the 16 × 16 lowest frequencies of the 64 × 64 points, row by row.
    private static func transform(_ grid: [Float]) -> [Float] {
        let (side, count) = (LuminanceGrid.side, frequencies)
        let cosines = cosines
        var rows = [Float](repeating: 0, count: count * side)
        for frequency in 0..<count {
            for point in 0..<side {
                let cosine = cosines[frequency * side + point]
                for column in 0..<side {
                    rows[frequency * side + column] += cosine * grid[point * side + column]
                }
            }
        }
        var result = [Float](repeating: 0, count: count * count)
        for row in 0..<count {
            for column in 0..<count {
                var sum: Float = 0
                for point in 0..<side { sum += rows[row * side + point] * cosines[column * side + point] }
                result[row * count + column] = sum
            }
        }
        return result
    }

    /// Returns the hash of the coefficients. The median is the lower of the two middle values.
    private static func bits(of coefficients: [Float]) -> Bits256 {
        let median = coefficients.sorted()[coefficients.count / 2 - 1]
        var words = SIMD4<UInt64>.zero
        for (bit, value) in coefficients.enumerated() where value > median { words[bit / 64] |= 1 << UInt64(bit % 64) }
        return Bits256(words: words)
    }
}
