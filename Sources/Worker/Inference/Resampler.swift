import CResampling
import ImageDecoding

/// Resizes a region of an image exactly as Pillow does with `Image.Resampling.BILINEAR`: first across, then down, each
/// rounded to bytes.
///
/// In Pillow's terms: `image.resize((width, image.height), BILINEAR, box=(x0, 0, x1, image.height))` and then
/// `.resize((width, height), BILINEAR, box=(0, y0, width, y1))`. One call with the whole box gives the same, except
/// that Pillow 13 resizes tall images down first, which rounds a few bytes differently by one.
///
/// The rows are resized across four at a time into a ring buffer that holds just the rows for one output row. So the
/// intermediate image never leaves the first-level cache.
///
/// Processors with AVX2 run the loops of `CResampling`, others those in this file. The bytes are the same.
enum Resampler {
    private typealias Bytes = UnsafePointer<UInt8>
    private static let rowsAtOnce = 4
    private static let margin = bifrons_resampling_margin
    private static let isFast = bifrons_resampling_is_fast()

    /// Calls `emit` with each output row in order: its index and its `width * 3` bytes.
    ///
    /// - Parameters:
    ///   - image: The source image.
    ///   - region: The region to resize.
    ///   - width: The output width in pixels.
    ///   - height: The output height in pixels.
    ///   - fast: Whether to use AVX2 where available. Tests compare both ways.
    ///   - emit: Receives each row; the bytes are valid only during the call.
    static func resize(
        _ image: RGBImage, region: Region, width: Int, height: Int, fast: Bool = true,
        emit: (Int, UnsafePointer<UInt8>) -> Void
    ) {
        let across = TriangleFilter(sourceSize: image.width, from: region.x0, to: region.x1, size: width)
        let down = TriangleFilter(sourceSize: image.height, from: region.y0, to: region.y1, size: height)
        let isFast = fast && Self.isFast
        let last = down.sources.upperBound - 1
        let sourceStride = image.width * 3
        // Whole vectors of sixteen bytes, including the one byte too many that storing the last pixel's four bytes
        // writes.
        let stride = (width * 3 + 16) & ~15
        // Rows are read in pairs, and the last pair may include one surplus row.
        let ringRows = down.longest + rowsAtOnce
        let paddedStride = sourceStride + margin

        image.pixels.withUnsafeBufferPointer { pixels in
            let capacity = (ringRows + 1) * stride + rowsAtOnce * paddedStride
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity) { scratch in
                scratch.initialize(repeating: 0)
                guard let source = pixels.baseAddress, let ring = scratch.baseAddress else { return }
                let output = ring + ringRows * stride
                // Rows are read beyond their end, so the image's last rows need padding.
                func row(_ y: Int, _ place: Int) -> Bytes {
                    let start = source + y * sourceStride
                    if (y + 1) * sourceStride + margin <= pixels.count { return start }
                    let padded = output + (stride + place * paddedStride)
                    padded.update(from: start, count: sourceStride)
                    return Bytes(padded)
                }

                var ready = down.sources.lowerBound
                for (y, span) in down.spans.enumerated() {
                    while ready < Int(span.start + span.count) {
                        let group = (ready, min(ready + 1, last), min(ready + 2, last), min(ready + 3, last))
                        let rows = (row(group.0, 0), row(group.1, 1), row(group.2, 2), row(group.3, 3))
                        let targets = (
                            ring + group.0 % ringRows * stride, ring + group.1 % ringRows * stride,
                            ring + group.2 % ringRows * stride, ring + group.3 % ringRows * stride
                        )
                        if isFast {
                            bifrons_resample_across(
                                [rows.0, rows.1, rows.2, rows.3], [targets.0, targets.1, targets.2, targets.3],
                                across.spans, across.spans.count, across.low, across.high)
                        } else {
                            resizeAcross(rows, by: across, into: targets)
                        }
                        ready += rowsAtOnce
                    }
                    if isFast {
                        bifrons_resample_down(ring, ringRows, stride, span, down.low, down.high, output)
                    } else {
                        resizeDown(ring, ringRows, stride, span, down, into: output)
                    }
                    emit(y, output)
                }
            }
        }
    }

    /// A weighted sum in progress. The two halves of the weights are summed separately.
    private struct Sum<Lanes: SIMD> where Lanes.Scalar == Int32 {
        // Half a unit, so that the shift rounds.
        var low = Lanes(repeating: 1 << (TriangleFilter.bits - 1))
        var high = Lanes(repeating: 0)

        @inline(__always)
        mutating func add(_ values: Lanes, _ weight: (low: Lanes, high: Lanes)) {
            low &+= values &* weight.low
            high &+= values &* weight.high
        }

        /// The sum as bytes. Weights are not negative and sum to one except for rounding, so only an overflow needs
        /// clamping.
        @inline(__always)
        var bytes: Lanes {
            ((low &+ (high &<< TriangleFilter.lowBits)) &>> TriangleFilter.bits).clamped(
                lowerBound: Lanes(repeating: 0), upperBound: Lanes(repeating: 255))
        }
    }

    /// Resizes four rows at once. The lanes of a vector hold a pixel's three channels; the fourth lane holds the next
    /// pixel's red.
    private static func resizeAcross(
        _ source: (Bytes, Bytes, Bytes, Bytes), by filter: TriangleFilter,
        into target: (
            UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt8>,
            UnsafeMutablePointer<UInt8>
        )
    ) {
        @inline(__always)
        func load(_ row: Bytes, _ offset: Int) -> SIMD4<Int32> {
            SIMD4(truncatingIfNeeded: UnsafeRawPointer(row + offset).loadUnaligned(as: SIMD4<UInt8>.self))
        }
        @inline(__always)
        func store(_ sum: Sum<SIMD4<Int32>>, _ row: UnsafeMutablePointer<UInt8>, _ offset: Int) {
            UnsafeMutableRawPointer(row + offset).storeBytes(
                of: SIMD4<UInt8>(truncatingIfNeeded: sum.bytes), as: SIMD4<UInt8>.self)
        }
        for (x, span) in filter.spans.enumerated() {
            var sums = (Sum<SIMD4<Int32>>(), Sum<SIMD4<Int32>>(), Sum<SIMD4<Int32>>(), Sum<SIMD4<Int32>>())
            var offset = Int(span.start) * 3
            for index in Int(span.weights)..<Int(span.weights + span.count) {
                let weight = (
                    low: SIMD4(repeating: Int32(filter.low[index])), high: SIMD4(repeating: Int32(filter.high[index]))
                )
                sums.0.add(load(source.0, offset), weight)
                sums.1.add(load(source.1, offset), weight)
                sums.2.add(load(source.2, offset), weight)
                sums.3.add(load(source.3, offset), weight)
                offset += 3
            }
            store(sums.0, target.0, x * 3)
            store(sums.1, target.1, x * 3)
            store(sums.2, target.2, x * 3)
            store(sums.3, target.3, x * 3)
        }
    }

    /// Computes one output row from the rows of the ring buffer, eight bytes at once.
    private static func resizeDown(
        _ ring: UnsafeMutablePointer<UInt8>, _ ringRows: Int, _ stride: Int, _ span: TriangleFilter.Span,
        _ filter: TriangleFilter, into output: UnsafeMutablePointer<UInt8>
    ) {
        for offset in Swift.stride(from: 0, to: stride, by: 8) {
            var sum = Sum<SIMD8<Int32>>()
            var row = Int(span.start) % ringRows
            for index in Int(span.weights)..<Int(span.weights + span.count) {
                let bytes = UnsafeRawPointer(ring + row * stride + offset).loadUnaligned(as: SIMD8<UInt8>.self)
                sum.add(
                    SIMD8(truncatingIfNeeded: bytes),
                    (
                        low: SIMD8(repeating: Int32(filter.low[index])),
                        high: SIMD8(repeating: Int32(filter.high[index]))
                    ))
                row += 1
                if row == ringRows { row = 0 }
            }
            UnsafeMutableRawPointer(output + offset).storeBytes(
                of: SIMD8<UInt8>(truncatingIfNeeded: sum.bytes), as: SIMD8<UInt8>.self)
        }
    }
}
