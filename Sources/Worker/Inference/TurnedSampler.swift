import ImageDecoding

/// Cuts turned squares out of pictures, upright: the triangle filter of `Resampler`, turned, in whole numbers.
///
/// docs/preprocessing.md defines it, `turning.py` in `Models/training/bifrons_training/preprocessing` gives the
/// same bytes.
enum TurnedSampler {
    /// Bits behind the point of a place in a picture. Filters are worked out in units twice as fine, ``one`` to a pixel.
    private static let bits = 16
    private static let unit = 1 << bits
    private static let one = 2 << bits

    /// A square turned clockwise about its middle, stood upright as `side` × `side` pixels.
    ///
    /// - Parameters:
    ///   - reduction: how many times smaller than the upright picture at full size `image` is.
    ///   - square: in pixels of the upright picture at full size.
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

    /// A part of the picture `block` times smaller: the rounded means of squares of that side, at the right and lower border
    /// of what is there of them.
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

    /// Where the pixels of a cut lie in a picture, and which of the picture's pixels count for them.
    private struct Sampling {
        private let side: Int
        /// Of the turn, in units.
        private let cosine: Int
        private let sine: Int
        /// From a pixel of the cut to its right neighbour, in units.
        private let right: Int
        private let down: Int
        private let middle: (x: Int, y: Int)
        /// How far from a place pixels count, along either side of the square.
        private let support: Int
        /// Whole pixels from the one that holds a place to the last one that may count.
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

        /// The place of a pixel of the cut, in units of the filter.
        @inline(__always)
        private func place(_ column: Int, _ row: Int) -> (x: Int, y: Int) {
            let (across, along) = (2 * column + 1 - side, 2 * row + 1 - side)
            return (
                2 * middle.x + across * right - along * down,
                2 * middle.y + across * down + along * right
            )
        }

        /// The columns that count of a picture so many pixels wide.
        func columns(of width: Int) -> ClosedRange<Int> { needed(of: width, corners: corners.map(\.x)) }

        /// The rows that count of a picture so many pixels high.
        func rows(of height: Int) -> ClosedRange<Int> { needed(of: height, corners: corners.map(\.y)) }

        private var corners: [(x: Int, y: Int)] {
            [place(0, 0), place(side - 1, 0), place(0, side - 1), place(side - 1, side - 1)]
        }

        private func needed(of size: Int, corners: [Int]) -> ClosedRange<Int> {
            func inside(_ value: Int) -> Int { min(max(value, 0), size - 1) }
            let pixels = corners.map { $0 >> (TurnedSampler.bits + 1) }
            return inside((pixels.min() ?? 0) - reach)...inside((pixels.max() ?? 0) + reach)
        }

        /// Fills `target`, the cut's bytes, from the part of a picture whose first pixel is `origin`. Beyond its border the
        /// picture goes on as its border is.
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

        /// The weighted sums of the channels about a place, and the sum of the weights.
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
    /// Writes the picture's pixels turned by whole quarters, as many as before.
    func turned(againstTheClock quarters: Int, into target: UnsafeMutablePointer<UInt8>) {
        let row = 3 * width
        // Where the first pixel of the turned picture comes from, and how far in bytes those of its right and its lower
        // neighbour lie from that.
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
