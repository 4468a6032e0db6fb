import Glibc

/// A number with so many digits behind the point.
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

/// A probability for people.
func percent(_ probability: Double) -> String { fixed(probability * 100, 1) + " %" }

/// Bytes in MiB.
func mebibytes(_ bytes: Int) -> String { fixed(Double(bytes) / 1_048_576, 1) }

/// A time for people: the two largest units that matter.
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
    /// Without control characters: a file's name must not steer the terminal.
    var printable: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
    }

    /// As one word of a shell.
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

/// Columns of text: the first ones to the left, numbers to the right.
struct TextTable {
    struct Column: Equatable {
        let title: String
        var isNumber = false
        var width = 0
    }

    private(set) var columns: [Column]

    /// - Parameter widths: the least widths; a cell that is wider moves what follows.
    init(_ columns: [Column]) {
        self.columns = columns.map {
            Column(title: $0.title, isNumber: $0.isNumber, width: max($0.width, $0.title.count))
        }
    }

    var header: String { line(columns.map(\.title)) }

    func line(_ cells: [String]) -> String {
        var line = ""
        for (column, cell) in zip(columns, cells) {
            if !line.isEmpty { line += "  " }
            line += cell.padded(to: column.width, right: column.isNumber)
        }
        while line.last == " " { line.removeLast() }
        return line
    }

    /// Header and rows, every column as wide as its widest cell.
    static func lines(_ columns: [Column], _ rows: [[String]]) -> [String] {
        var columns = columns
        for row in rows {
            for (index, cell) in row.enumerated() { columns[index].width = max(columns[index].width, cell.count) }
        }
        let table = TextTable(columns)
        return [table.header] + rows.map(table.line)
    }
}

/// Writes a line to the standard output, at once: who reads a pipe sees each result when it is there.
func printLine(_ line: String) {
    var line = line + "\n"
    line.withUTF8 { writeAll($0, to: STDOUT_FILENO) }
}

func writeAll(_ bytes: UnsafeBufferPointer<UInt8>, to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = UnsafeBufferPointer(rebasing: rest).withMemoryRebound(to: UInt8.self) {
            write(descriptor, $0.baseAddress, $0.count)
        }
        if count >= 0 {
            rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
            // Somebody who shares the descriptor, such as a terminal, has made it one that does not wait.
            var item = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&item, 1, -1)
        } else if errno != EINTR {
            return
        }
    }
}
