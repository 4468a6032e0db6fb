import ImageDecoding

/// The luminance of an image, smoothed and sampled at 64 × 64 points.
///
/// Two passes of a box filter along rows and columns approximate a tent filter whose width is the distance of two
/// points (Jarosz, "Fast Image Convolutions", SIGGRAPH 2001). The rows of the image stream through all filters, so only
/// as many rows as the filters are high are in memory.
struct LuminanceGrid {
    /// The number of points in a row and in a column.
    static let side = 64

    /// The values of the points, 0 to 255, row by row from the top left.
    let values: [Float]

    /// Creates the grid of an image with sides of 5 pixels or more.
    init(_ image: RGBImage) {
        let luminance = Luminance()
        guard image.width != Self.side || image.height != Self.side else {
            values = (0..<Self.side).flatMap { y in
                var row = [Float](repeating: 0, count: Self.side)
                luminance.read(image, row: y, into: &row)
                return row
            }
            return
        }
        var filters = GridFilters(width: image.width, height: image.height)
        var row = [Float](repeating: 0, count: image.width)
        for y in 0..<image.height {
            luminance.read(image, row: y, into: &row)
            filters.push(row)
        }
        values = filters.finished()
    }
}

/// Converts pixels to luminance (ITU-R BT.601).
private struct Luminance {
    private let red = (0..<256).map { Double($0) * 0.299 }
    private let green = (0..<256).map { Double($0) * 0.587 }
    private let blue = (0..<256).map { Double($0) * 0.114 }

    /// Writes the luminance, 0 to 255, of each pixel of the image's row `row` to `values`, one for each column.
    func read(_ image: RGBImage, row: Int, into values: inout [Float]) {
        let width = image.width
        image.pixels.withUnsafeBufferPointer { pixels in
            red.withUnsafeBufferPointer { red in
                green.withUnsafeBufferPointer { green in
                    blue.withUnsafeBufferPointer { blue in
                        values.withUnsafeMutableBufferPointer { values in
                            var pixel = row * width * 3
                            for x in 0..<width {
                                values[x] = Float(
                                    red[Int(pixels[pixel])] + green[Int(pixels[pixel + 1])]
                                        + blue[Int(pixels[pixel + 2])])
                                pixel += 3
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A box filter's window on a side of `length` pixels.
private struct Window {
    let length: Int
    /// The number of pixels in the window: half the distance of two points, rounded up.
    let count: Int
    /// The number of pixels in the window after the one whose output is computed.
    let ahead: Int

    init(length: Int) {
        self.length = length
        count = (length + 2 * LuminanceGrid.side - 1) / (2 * LuminanceGrid.side)
        ahead = count / 2
    }

    /// The indexes of the pixels at the centres of the 64 points.
    var centres: [Int] {
        (0..<LuminanceGrid.side).map { Int((Double($0) + 0.5) * Double(length) / Double(LuminanceGrid.side)) }
    }

    /// Filters a row of `length` values. The window is cut off at both ends.
    ///
    /// The running sum takes one addition and one subtraction for each pixel, even if the window has only one pixel:
    /// the reference implementation has the same rounding errors.
    func filter(_ input: [Float], into output: inout [Float]) {
        input.withUnsafeBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                var sum: Float = 0
                for index in 0..<ahead { sum += input[index] }
                for index in ahead..<count {
                    sum += input[index]
                    output[index - ahead] = sum / Float(index + 1)
                }
                let full = Float(count)
                for index in count..<length {
                    sum += input[index]
                    sum -= input[index - count]
                    output[index - ahead] = sum / full
                }
                for index in 0..<ahead {
                    sum -= input[length - count + index]
                    output[length - ahead + index] = sum / Float(count - 1 - index)
                }
            }
        }
    }
}

/// A box filter along the columns of an image whose rows arrive one by one.
private struct ColumnFilter {
    private let window: Window
    private var sums: [Float]
    /// A ring buffer of the last `window.count` rows. Row i is at `i % window.count`.
    private var rows: [Float]
    /// The number of rows that arrived.
    private var received = 0
    private var flushed = 0
    /// The output row that was computed last.
    private(set) var output: [Float]

    init(width: Int, window: Window) {
        self.window = window
        sums = [Float](repeating: 0, count: width)
        rows = [Float](repeating: 0, count: width * window.count)
        output = sums
    }

    /// The number of calls of ``flush()`` that are needed after the last row.
    var remaining: Int { window.ahead }

    /// Takes a row. Returns whether an output row was computed.
    mutating func push(_ row: [Float]) -> Bool {
        let isFull = received >= window.count
        let start = received % window.count * sums.count
        received += 1
        let divisor = Float(min(received, window.count))
        sums.withUnsafeMutableBufferPointer { sums in
            rows.withUnsafeMutableBufferPointer { rows in
                output.withUnsafeMutableBufferPointer { output in
                    row.withUnsafeBufferPointer { row in
                        for x in 0..<row.count {
                            var sum = sums[x] + row[x]
                            if isFull { sum -= rows[start + x] }
                            rows[start + x] = row[x]
                            sums[x] = sum
                            output[x] = sum / divisor
                        }
                    }
                }
            }
        }
        return received > window.ahead
    }

    /// Computes an output row after the last row was taken.
    mutating func flush() {
        let start = (received - window.count + flushed) % window.count * sums.count
        flushed += 1
        let divisor = Float(window.count - flushed)
        for x in sums.indices {
            sums[x] -= rows[start + x]
            output[x] = sums[x] / divisor
        }
    }
}

/// Both passes of the box filter along rows and columns, and the sampling of the points.
private struct GridFilters {
    private let across: Window
    private let columns: [Int]
    private let rows: [Int]
    private var first: ColumnFilter
    /// The second pass. It gets only the 64 columns in which points lie.
    private var second: ColumnFilter
    private var filtered: [Float]
    private var chosen = [Float](repeating: 0, count: LuminanceGrid.side)
    private var values: [Float] = []
    /// The number of rows that the second pass has computed.
    private var done = 0

    init(width: Int, height: Int) {
        let down = Window(length: height)
        across = Window(length: width)
        columns = across.centres
        rows = down.centres
        first = ColumnFilter(width: width, window: down)
        second = ColumnFilter(width: LuminanceGrid.side, window: down)
        filtered = [Float](repeating: 0, count: width)
        values.reserveCapacity(LuminanceGrid.side * LuminanceGrid.side)
    }

    /// Takes the next row of the image.
    mutating func push(_ row: [Float]) {
        across.filter(row, into: &filtered)
        if first.push(filtered) { pass() }
    }

    /// Returns the values of the points after the last row was taken.
    mutating func finished() -> [Float] {
        for _ in 0..<first.remaining {
            first.flush()
            pass()
        }
        for _ in 0..<second.remaining {
            second.flush()
            choose()
        }
        return values
    }

    /// Passes the last output row of the first pass on to the second pass.
    private mutating func pass() {
        across.filter(first.output, into: &filtered)
        for (index, column) in columns.enumerated() { chosen[index] = filtered[column] }
        if second.push(chosen) { choose() }
    }

    /// Stores the last output row of the second pass if points lie in it; in several rows of points if the image has
    /// fewer than 64 rows.
    private mutating func choose() {
        while values.count < LuminanceGrid.side * LuminanceGrid.side, rows[values.count / LuminanceGrid.side] == done {
            values += second.output
        }
        done += 1
    }
}
