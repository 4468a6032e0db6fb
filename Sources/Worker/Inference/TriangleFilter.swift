import CResampling

/// The weights for resizing one axis of an image: the antialiased triangle ("bilinear") filter of Pillow's
/// `Image.resize`, in its 8-bit fixed point, bit for bit.
///
/// An output pixel is the weighted mean of the source pixels within `max(scale, 1)` of its centre. Weights fall
/// linearly to zero and are rounded to 22 fractional bits. Pixels outside of the region but inside the image count.
struct TriangleFilter {
    /// The number of fractional bits of a weight.
    static let bits: Int32 = 22
    /// The number of bits of a weight's low half. A weight, at most 2^22, is stored as two halves that each fit 16
    /// bits: `high << 15 + low`. Processors multiply a byte and 16 bits fastest, and the sum of either half stays far
    /// below 2^31.
    static let lowBits: Int32 = 15

    /// The source pixels of one output pixel: `count` pixels from `start` on, with weights from index `weights` on.
    typealias Span = bifrons_resampling_span

    /// The spans of all output pixels, in order. `start` and `start + count` never decrease.
    let spans: [Span]
    /// The low halves of the weights. An odd number of weights is followed by a 0, as in `high`.
    let low: [Int16]
    /// The high halves of the weights.
    let high: [Int16]
    /// The most source pixels of one output pixel.
    let longest: Int

    /// Computes the weights.
    ///
    /// - Parameters:
    ///   - sourceSize: The number of pixels of the source axis.
    ///   - start: The region's start on that axis, in pixels; fractions are allowed.
    ///   - end: The region's end.
    ///   - size: The number of pixels of the output axis.
    init(sourceSize: Int, from start: Float, to end: Float, size: Int) {
        // The order and precision of all operations are Pillow's, because any other order rounds differently.
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

    /// The range of source pixels that any output pixel uses.
    var sources: Range<Int> {
        guard let first = spans.first, let last = spans.last else { return 0..<0 }
        return Int(first.start)..<Int(last.start + last.count)
    }
}
