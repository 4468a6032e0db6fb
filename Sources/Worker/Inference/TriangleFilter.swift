import CResampling

/// The weights with which the pixels of one axis of a picture make those of another size: the antialiased triangle
/// ("bilinear") filter of Pillow's `Image.resize`, in its 8-bit fixed point, bit for bit.
///
/// An output pixel is the weighted mean of the source pixels within `max(scale, 1)` of its centre, weights falling
/// linearly to zero, each rounded to 22 bits behind the point. Pixels beyond the region but inside the picture count.
struct TriangleFilter {
    /// Bits behind the point of a weight.
    static let bits: Int32 = 22
    /// A weight, at most 2^22, is kept as two halves of which each fits 16 bits: `high << 15 + low`. Products of a
    /// byte and 16 bits are what a processor multiplies fastest; sums of either half stay far below 2^31.
    static let lowBits: Int32 = 15

    /// The source pixels of one output pixel: `count` of them from `start`, their weights from `weights`.
    typealias Span = bifrons_resampling_span

    /// One an output pixel, in order; neither `start` nor `start + count` ever falls.
    let spans: [Span]
    /// The weights' low halves; behind those of an odd number of pixels a 0, as behind the high ones.
    let low: [Int16]
    /// The weights' high halves.
    let high: [Int16]
    /// The most source pixels that one output pixel needs.
    let longest: Int

    /// - Parameters:
    ///   - sourceSize: pixels of the source axis.
    ///   - start: where the region begins on that axis, in pixels; halves and other fractions are meant.
    ///   - end: where it ends.
    ///   - size: pixels of the output axis.
    init(sourceSize: Int, from start: Float, to end: Float, size: Int) {
        // The order and the width of every operation are Pillow's: another order rounds otherwise.
        let scale = Double(end - start) / Double(size)
        let support = max(scale, 1)
        let inverse = 1 / support
        var spans: [Span] = []
        var low: [Int16] = []
        var high: [Int16] = []
        var exact: [Double] = []
        spans.reserveCapacity(size)
        low.reserveCapacity(size * (2 * Int(support.rounded(.up)) + 2))
        high.reserveCapacity(low.capacity)
        for index in 0..<size {
            let centre = Double(start) + (Double(index) + 0.5) * scale
            let first = max(Int(centre - support + 0.5), 0)
            let last = min(Int(centre + support + 0.5), sourceSize)
            exact.removeAll(keepingCapacity: true)
            var sum = 0.0
            for pixel in first..<last {
                let distance = abs((Double(pixel) - centre + 0.5) * inverse)
                let weight = distance < 1 ? 1 - distance : 0
                exact.append(weight)
                sum += weight
            }
            spans.append(Span(start: Int32(first), count: Int32(last - first), weights: Int32(low.count)))
            for weight in exact {
                let normal = sum == 0 ? weight : weight / sum
                let fixed = Int32(0.5 + normal * Double(1 << TriangleFilter.bits))
                low.append(Int16(fixed & (1 << TriangleFilter.lowBits - 1)))
                high.append(Int16(fixed >> TriangleFilter.lowBits))
            }
            if exact.count % 2 == 1 {
                low.append(0)
                high.append(0)
            }
        }
        self.spans = spans
        self.low = low
        self.high = high
        self.longest = spans.reduce(0) { max($0, Int($1.count)) }
    }

    /// The source pixels that are needed at all.
    var sources: Range<Int> {
        guard let first = spans.first, let last = spans.last else { return 0..<0 }
        return Int(first.start)..<Int(last.start + last.count)
    }
}
