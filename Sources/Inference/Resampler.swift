import ImageDecoding

/// Resizes a region of a picture as Pillow does with `Image.Resampling.BILINEAR`, bit for bit: across first, then down,
/// each rounded to bytes.
///
/// In Pillow's terms: `image.resize((width, image.height), BILINEAR, box=(x0, 0, x1, image.height))` and, of that,
/// `.resize((width, height), BILINEAR, box=(0, y0, width, y1))`. One call with the whole box is the same, except that
/// Pillow 13 goes down first when a picture is tall, and then rounds a few bytes otherwise by one.
///
/// The rows that are needed go across four at a time into a ring that holds just those of one output row, so that the
/// intermediate picture never leaves the first-level cache.
enum Resampler {
    private typealias Bytes = UnsafePointer<UInt8>
    private static let rowsAtOnce = 4

    /// Calls `emit` with each output row in order: its index and its `width * 3` bytes.
    static func resize(
        _ image: RGBImage, region: Region, width: Int, height: Int, emit: (Int, UnsafePointer<UInt8>) -> Void
    ) {
        let across = TriangleFilter(sourceSize: image.width, from: region.x0, to: region.x1, size: width)
        let down = TriangleFilter(sourceSize: image.height, from: region.y0, to: region.y1, size: height)
        let rows = down.sources
        let sourceStride = image.width * 3
        // Whole vectors of eight bytes, and the byte that a pixel's four-byte store has too much.
        let stride = (width * 3 + 8) & ~7
        let ringRows = down.longest + rowsAtOnce

        image.pixels.withUnsafeBufferPointer { pixels in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: (ringRows + 1) * stride + sourceStride + 1) {
                scratch in
                scratch.initialize(repeating: 0)
                guard let source = pixels.baseAddress, let ring = scratch.baseAddress else { return }
                let output = ring + ringRows * stride
                let paddedRow = output + stride
                // A pixel is read as four bytes: behind the picture's last one there is none.
                paddedRow.update(from: source + (image.height - 1) * sourceStride, count: sourceStride)
                func row(_ y: Int) -> Bytes {
                    y < image.height - 1 ? source + y * sourceStride : Bytes(paddedRow)
                }

                var ready = rows.lowerBound
                for (y, span) in down.spans.enumerated() {
                    while ready < Int(span.start + span.count) {
                        let last = rows.upperBound - 1
                        let group = (ready, min(ready + 1, last), min(ready + 2, last), min(ready + 3, last))
                        resizeAcross(
                            (row(group.0), row(group.1), row(group.2), row(group.3)), by: across,
                            into: (
                                ring + group.0 % ringRows * stride, ring + group.1 % ringRows * stride,
                                ring + group.2 % ringRows * stride, ring + group.3 % ringRows * stride
                            ))
                        ready += rowsAtOnce
                    }
                    resizeDown(ring, ringRows, stride, span, down.weights, into: output)
                    emit(y, output)
                }
            }
        }
    }

    /// A weighted sum in progress: the two halves of the weights apart.
    private struct Sum<Lanes: SIMD> where Lanes.Scalar == Int32 {
        // Half a unit, so that the shift rounds.
        var low = Lanes(repeating: 1 << (TriangleFilter.bits - 1))
        var high = Lanes(repeating: 0)

        @inline(__always)
        mutating func add(_ values: Lanes, _ weight: (low: Lanes, high: Lanes)) {
            low &+= values &* weight.low
            high &+= values &* weight.high
        }

        /// Weights are not negative and sum to one (give or take their rounding): only too large can happen.
        @inline(__always)
        var bytes: Lanes {
            ((low &+ (high &<< TriangleFilter.lowBits)) &>> TriangleFilter.bits).clamped(
                lowerBound: Lanes(repeating: 0), upperBound: Lanes(repeating: 255))
        }
    }

    /// Four rows at once, a pixel's three channels in the lanes of a vector (the fourth is the next pixel's red).
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
        filter.weights.withUnsafeBufferPointer { weights in
            filter.spans.withUnsafeBufferPointer { spans in
                for x in 0..<spans.count {
                    let span = spans[x]
                    var sums = (Sum<SIMD4<Int32>>(), Sum<SIMD4<Int32>>(), Sum<SIMD4<Int32>>(), Sum<SIMD4<Int32>>())
                    var offset = Int(span.start) * 3
                    for index in Int(span.weights)..<Int(span.weights + span.count) {
                        let weight = (
                            low: SIMD4(repeating: Int32(weights[index].low)),
                            high: SIMD4(repeating: Int32(weights[index].high))
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
        }
    }

    /// One output row from the ring's rows, eight bytes at once.
    private static func resizeDown(
        _ ring: UnsafeMutablePointer<UInt8>, _ ringRows: Int, _ stride: Int, _ span: TriangleFilter.Span,
        _ weights: [TriangleFilter.Weight], into output: UnsafeMutablePointer<UInt8>
    ) {
        weights.withUnsafeBufferPointer { weights in
            for offset in Swift.stride(from: 0, to: stride, by: 8) {
                var sum = Sum<SIMD8<Int32>>()
                var row = Int(span.start) % ringRows
                for index in Int(span.weights)..<Int(span.weights + span.count) {
                    let bytes = UnsafeRawPointer(ring + row * stride + offset).loadUnaligned(as: SIMD8<UInt8>.self)
                    sum.add(
                        SIMD8(truncatingIfNeeded: bytes),
                        (
                            low: SIMD8(repeating: Int32(weights[index].low)),
                            high: SIMD8(repeating: Int32(weights[index].high))
                        ))
                    row += 1
                    if row == ringRows { row = 0 }
                }
                UnsafeMutableRawPointer(output + offset).storeBytes(
                    of: SIMD8<UInt8>(truncatingIfNeeded: sum.bytes), as: SIMD8<UInt8>.self)
            }
        }
    }
}
