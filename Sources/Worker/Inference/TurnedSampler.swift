import ImageDecoding

/// Cuts turned squares out of images and turns them upright, with the triangle filter of `Resampler`, turned, in
/// integer arithmetic.
///
/// docs/preprocessing.md defines it, and `turning.py` in `Models/training/bifrons_training/preprocessing` gives the
/// same bytes.
enum TurnedSampler {
    /// The number of fractional bits of a position in an image. Filters use units half as large: a pixel has ``one`` of
    /// them.
    private static let bits = 16
    private static let unit = 1 << bits
    private static let one = 2 << bits

    /// Returns a square that is turned clockwise around its centre, as an upright image of `side` × `side` pixels.
    ///
    /// - Parameters:
    ///   - image: The decoded image.
    ///   - reduction: The factor by which `image` is smaller than the upright image at full size.
    ///   - square: The square, in pixels of the upright image at full size.
    ///   - turn: The square's turn.
    ///   - side: The side of the result in pixels.
    static func cut(
        _ image: RGBImage, reducedBy reduction: Int, square: Framing.Square, turn: Turn, side: Int
    ) -> RGBImage {
        let block = max(1, Int((square.side / Double(reduction) / Double(2 * side)).rounded(.down)))
        let factor = Double(reduction * block)
        let sampling = Sampling(square: square, factor: factor, turn: turn, side: side)
        let columns = sampling.columns(of: (image.width + block - 1) / block)
        let rows = sampling.rows(of: (image.height + block - 1) / block)
        var pixels = [UInt8](repeating: 0, count: side * side * 3)
        if block == 1 {
            sampling.sample(image, from: (0, 0), into: &pixels)
        } else {
            let means = means(image, block: block, columns: columns, rows: rows)
            sampling.sample(means, from: (columns.lowerBound, rows.lowerBound), into: &pixels)
        }
        return RGBImage(width: side, height: side, pixels: pixels)
    }

    /// Returns a part of the image reduced by `block`: the rounded means of squares of `block` pixels a side. At the
    /// right and lower border, the means of the pixels that exist.
    private static func means(
        _ image: RGBImage, block: Int, columns: ClosedRange<Int>, rows: ClosedRange<Int>
    ) -> RGBImage {
        var pixels: [UInt8] = []
        pixels.reserveCapacity(columns.count * rows.count * 3)
        image.pixels.withUnsafeBufferPointer { source in
            var sums = [Int](repeating: 0, count: columns.count * 3)
            for row in rows {
                let lines = row * block..<min((row + 1) * block, image.height)
                sums.withUnsafeMutableBufferPointer { sums in
                    sums.update(repeating: 0)
                    for y in lines {
                        for (index, column) in columns.enumerated() {
                            for x in column * block..<min((column + 1) * block, image.width) {
                                let place = (y * image.width + x) * 3
                                sums[index * 3] += Int(source[place])
                                sums[index * 3 + 1] += Int(source[place + 1])
                                sums[index * 3 + 2] += Int(source[place + 2])
                            }
                        }
                    }
                }
                for (index, column) in columns.enumerated() {
                    let count = lines.count * (min((column + 1) * block, image.width) - column * block)
                    for channel in 0..<3 { pixels.append(UInt8((sums[index * 3 + channel] + count / 2) / count)) }
                }
            }
        }
        return RGBImage(width: columns.count, height: rows.count, pixels: pixels)
    }

    /// The positions of a cut's pixels in an image, and the weights of the image's pixels for them.
    private struct Sampling {
        private let side: Int
        /// Of the turn, in units of 1/65536.
        private let cosine: Int
        private let sine: Int
        /// The step from a pixel of the cut to its right neighbour: the part along x, in units of 1/65536 pixel.
        private let right: Int
        /// The same step: the part along y.
        private let down: Int
        private let middle: (x: Int, y: Int)
        /// The largest distance from a position at which pixels count, along either side of the square.
        private let support: Int
        /// The number of pixels from the one that contains a position to the last one that may count.
        private let reach: Int

        init(square: Framing.Square, factor: Double, turn: Turn, side: Int) {
            func whole(_ value: Double) -> Int { Int((value + 0.5).rounded(.down)) }
            let (unit, one) = (Double(TurnedSampler.unit), Double(TurnedSampler.one))
            let step = square.side / factor / Double(side)
            self.side = side
            cosine = whole(turn.cosine * unit)
            sine = whole(turn.sine * unit)
            right = whole(turn.cosine * step * unit)
            down = whole(turn.sine * step * unit)
            middle = (
                whole((square.x + square.side / 2) / factor * unit),
                whole((square.y + square.side / 2) / factor * unit)
            )
            support = max(TurnedSampler.one, whole(step * one))
            reach = ((support * (abs(cosine) + abs(sine))) >> TurnedSampler.bits) / TurnedSampler.one + 1
        }

        /// Returns the position of a pixel of the cut, in units of the filter.
        @inline(__always)
        private func place(_ column: Int, _ row: Int) -> (x: Int, y: Int) {
            let (across, along) = (2 * column + 1 - side, 2 * row + 1 - side)
            return (
                2 * middle.x + across * right - along * down,
                2 * middle.y + across * down + along * right
            )
        }

        /// Returns the columns that count, of an image of this width in pixels.
        func columns(of width: Int) -> ClosedRange<Int> { needed(of: width, corners: corners.map(\.x)) }

        /// Returns the rows that count, of an image of this height in pixels.
        func rows(of height: Int) -> ClosedRange<Int> { needed(of: height, corners: corners.map(\.y)) }

        private var corners: [(x: Int, y: Int)] {
            [place(0, 0), place(side - 1, 0), place(0, side - 1), place(side - 1, side - 1)]
        }

        private func needed(of size: Int, corners: [Int]) -> ClosedRange<Int> {
            func inside(_ value: Int) -> Int { min(max(value, 0), size - 1) }
            let pixels = corners.map { $0 >> (TurnedSampler.bits + 1) }
            return inside((pixels.min() ?? 0) - reach)...inside((pixels.max() ?? 0) + reach)
        }

        /// Computes the cut's bytes, `target`, from the part of an image whose first pixel is `origin`. Border pixels
        /// are repeated beyond the image's border.
        func sample(_ image: RGBImage, from origin: (x: Int, y: Int), into target: inout [UInt8]) {
            image.pixels.withUnsafeBufferPointer { source in
                target.withUnsafeMutableBufferPointer { target in
                    for row in 0..<side {
                        for column in 0..<side {
                            let (x, y) = place(column, row)
                            let sums = sums(
                                source, image.width, image.height, x - origin.x * TurnedSampler.one,
                                y - origin.y * TurnedSampler.one)
                            let start = (row * side + column) * 3
                            let half = sums.total >> 1
                            target[start] = UInt8((sums.red + half) / sums.total)
                            target[start + 1] = UInt8((sums.green + half) / sums.total)
                            target[start + 2] = UInt8((sums.blue + half) / sums.total)
                        }
                    }
                }
            }
        }

        /// Returns the weighted sums of the channels around a position, and the sum of the weights.
        @inline(__always)
        private func sums(
            _ source: UnsafeBufferPointer<UInt8>, _ width: Int, _ height: Int, _ placeX: Int, _ placeY: Int
        ) -> (total: Int, red: Int, green: Int, blue: Int) {
            let one = TurnedSampler.one
            let (firstX, firstY) = (placeX >> (TurnedSampler.bits + 1), placeY >> (TurnedSampler.bits + 1))
            var (total, red, green, blue) = (0, 0, 0, 0)
            for y in firstY - reach...firstY + reach {
                let line = min(max(y, 0), height - 1) * width
                let awayX = (firstX - reach) * one + TurnedSampler.unit - placeX
                let awayY = y * one + TurnedSampler.unit - placeY
                var u = awayX * cosine + awayY * sine
                var v = awayY * cosine - awayX * sine
                for x in firstX - reach...firstX + reach {
                    let along = support - abs(u >> TurnedSampler.bits)
                    let across = support - abs(v >> TurnedSampler.bits)
                    u += one * cosine
                    v -= one * sine
                    guard along > 0, across > 0 else { continue }
                    let weight = along * across
                    let place = (line + min(max(x, 0), width - 1)) * 3
                    total += weight
                    red += weight * Int(source[place])
                    green += weight * Int(source[place + 1])
                    blue += weight * Int(source[place + 2])
                }
            }
            return (total, red, green, blue)
        }
    }
}

extension RGBImage {
    /// Writes the image's pixels, turned anticlockwise by `quarters` × 90°.
    func turned(againstTheClock quarters: Int, into target: UnsafeMutablePointer<UInt8>) {
        let row = 3 * width
        // The byte offset of the turned image's first pixel, and the byte distances to its right and lower neighbours.
        let (first, right, down) =
            switch quarters & 3 {
            case 0: (0, 3, row)
            case 1: (row - 3, row, -3)
            case 2: (height * row - 3, -3, -row)
            default: ((height - 1) * row, -row, 3)
            }
        let (newWidth, newHeight) = quarters & 1 == 1 ? (height, width) : (width, height)
        pixels.withUnsafeBufferPointer { source in
            var to = target
            for y in 0..<newHeight {
                var from = first + y * down
                for _ in 0..<newWidth {
                    (to[0], to[1], to[2]) = (source[from], source[from + 1], source[from + 2])
                    from += right
                    to += 3
                }
            }
        }
    }
}
