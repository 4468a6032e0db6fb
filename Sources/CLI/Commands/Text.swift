import Glibc

/// Returns a number with a fixed number of decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite, value.magnitude < 1e15 else { return value.description }
    let unit = pow(10, Double(decimals))
    let scaled = Int((value.magnitude * unit).rounded())
    let (whole, fraction) = scaled.quotientAndRemainder(dividingBy: Int(unit))
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard decimals > 0 else { return "\(sign)\(whole)" }
    let digits = "\(fraction)"
    return "\(sign)\(whole)." + String(repeating: "0", count: decimals - digits.count) + digits
}

/// Returns a probability from 0 to 1 as a percentage with one decimal.
func percent(_ probability: Double) -> String { fixed(probability * 100, 1) + " %" }

/// Returns a number of bytes in MiB, with one decimal.
func mebibytes(_ bytes: Int) -> String { fixed(Double(bytes) / 1_048_576, 1) }

/// Returns a duration in its two largest units.
func span(seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    switch whole {
    case ..<60: return "\(whole) s"
    case ..<3600: return "\(whole / 60) min \(whole % 60) s"
    case ..<86_400: return "\(whole / 3600) h \(whole / 60 % 60) min"
    default: return "\(whole / 86_400) d \(whole / 3600 % 24) h"
    }
}

extension String {
    /// The string without control characters, so that a file name cannot control the terminal.
    var printable: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
    }

    /// The string as one word of a shell command.
    var shellQuoted: String {
        let plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./_-"
        if !isEmpty, allSatisfy(plain.contains) { return self }
        return "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    func padded(to width: Int, right: Bool = false) -> String {
        let space = String(repeating: " ", count: Swift.max(0, width - count))
        return right ? space + self : self + space
    }
}

/// A table of text. Text columns are aligned left, columns of numbers right.
struct TextTable {
    struct Column: Equatable {
        let title: String
        var isNumber = false
        var width = 0
    }

    private(set) var columns: [Column]

    /// Creates a table. `Column.width` is the least width of a column; a wider cell shifts the rest of its line.
    init(_ columns: [Column]) {
        self.columns = columns.map {
            Column(title: $0.title, isNumber: $0.isNumber, width: max($0.width, $0.title.count))
        }
    }

    var header: String { line(columns.map(\.title)) }

    /// - Parameter colours: the colours of cells, by the index of their column.
    func line(_ cells: [String], colours: [Int: Colour] = [:]) -> String {
        var line = ""
        for (index, (column, cell)) in zip(columns, cells).enumerated() {
            if !line.isEmpty { line += "  " }
            let padded = cell.padded(to: column.width, right: column.isNumber)
            // Colour is not part of the width.
            line += colours[index].map { padded.replacing(cell, with: $0(cell), maxReplacements: 1) } ?? padded
        }
        while line.last == " " { line.removeLast() }
        return line
    }

    /// Returns header and rows, with each column as wide as its widest cell.
    static func lines(_ columns: [Column], _ rows: [[String]]) -> [String] {
        var columns = columns
        for row in rows {
            for (index, cell) in row.enumerated() { columns[index].width = max(columns[index].width, cell.count) }
        }
        let table = TextTable(columns)
        return [table.header] + rows.map { table.line($0) }
    }
}

/// Writes a line to the standard output without buffering, so that a reader of a pipe sees each result at once.
func printLine(_ line: String) {
    var line = line + "\n"
    line.withUTF8 { writeAll($0, to: STDOUT_FILENO) }
}

/// Writes all bytes to a descriptor, waiting if it is full. Gives up on any other error.
func writeAll(_ bytes: UnsafeBufferPointer<UInt8>, to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = UnsafeBufferPointer(rebasing: rest).withMemoryRebound(to: UInt8.self) {
            write(descriptor, $0.baseAddress, $0.count)
        }
        if count >= 0 {
            rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
            // Another process that shares the descriptor, such as a terminal, has made it non-blocking.
            var item = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&item, 1, -1)
        } else if errno != EINTR {
            return
        }
    }
}
