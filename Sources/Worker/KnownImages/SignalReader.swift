import Glibc
import Hexadecimal

/// One line of a signal file.
enum SignalLine: Equatable {
    /// An empty line, or a comment that begins with `#`.
    case blank
    case signal(Signal)
    /// Any other line. The text completes the sentence "Line 3 …".
    case wrong(String)

    /// Parses a line: the type, white space, 64 hexadecimal digits. Ignores white space at both ends.
    ///
    /// The text of a wrong line never contains a hash, because logs must not reveal the content of a bank.
    init(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= SignalReader.lineBytes else {
            self = .wrong("is longer than \(SignalReader.lineBytes) bytes")
            return
        }
        let line = Self.trimmed(bytes[...])
        guard let first = line.first, first != UInt8(ascii: "#") else {
            self = .blank
            return
        }
        let word = line.prefix { !Self.isBlank($0) }
        guard let kind = Signal.Kind.allCases.first(where: { word.elementsEqual($0.rawValue.utf8) }) else {
            let text = word.count <= 32 && word.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "'") }
            self = .wrong(
                text ? "has a signal of the type '\(String(decoding: word, as: UTF8.self))'" : "begins with no type")
            return
        }
        let digits = Self.trimmed(line[word.endIndex...])
        guard digits.count == Bits256.byteCount * 2 else {
            self = .wrong("has \(digits.count) characters after '\(kind.rawValue)'")
            return
        }
        guard let bits = Self.bits(digits) else {
            self = .wrong("has a character after '\(kind.rawValue)' that is no hexadecimal digit")
            return
        }
        self = .signal(Signal(kind, bits))
    }

    private static func bits(_ digits: Slice<UnsafeRawBufferPointer>) -> Bits256? {
        var words = SIMD4<UInt64>.zero
        var index = digits.startIndex
        for word in (0..<4).reversed() {
            var value: UInt64 = 0
            for _ in 0..<16 {
                guard let digit = digits[index].hexadecimalValue else { return nil }
                value = value << 4 | UInt64(digit)
                index += 1
            }
            words[word] = value
        }
        return Bits256(words: words)
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    }

    private static func trimmed(_ line: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
        var line = line.drop(while: isBlank)
        while let last = line.last, isBlank(last) { line.removeLast() }
        return line
    }
}

/// Parses a signal file that arrives in pieces. The result does not depend on where the pieces end.
struct SignalReader {
    /// The maximum length of a line in bytes.
    static let lineBytes = 1024
    /// The byte order mark, which some editors write at the beginning of a file.
    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// The number of completed lines.
    private(set) var lines = 0
    /// The beginning of an incomplete line, cut off at one byte more than a line may have.
    private var rest: [UInt8] = []

    /// Takes the next bytes of the file.
    ///
    /// - Parameters:
    ///   - bytes: Any number of bytes.
    ///   - body: Receives each line that these bytes complete, and its number from 1.
    mutating func feed(_ bytes: UnsafeRawBufferPointer, _ body: (_ number: Int, _ line: SignalLine) -> Void) {
        var start = 0
        while let base = bytes.baseAddress, start < bytes.count {
            guard let newline = memchr(base + start, 0x0A, bytes.count - start) else {
                keep(bytes[start...])
                return
            }
            let end = UnsafeRawPointer(newline) - base
            if rest.isEmpty {
                give(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), body)
            } else {
                keep(bytes[start..<end])
                endLine(body)
            }
            start = end + 1
        }
    }

    /// Ends the file. The last line needs no newline.
    mutating func finish(_ body: (_ number: Int, _ line: SignalLine) -> Void) {
        if !rest.isEmpty { endLine(body) }
    }

    private mutating func keep(_ bytes: Slice<UnsafeRawBufferPointer>) {
        rest += bytes.prefix(Self.lineBytes + 1 - rest.count)
    }

    private mutating func endLine(_ body: (Int, SignalLine) -> Void) {
        let line = rest
        rest.removeAll(keepingCapacity: true)
        line.withUnsafeBytes { give($0, body) }
    }

    private mutating func give(_ line: UnsafeRawBufferPointer, _ body: (Int, SignalLine) -> Void) {
        lines += 1
        let isMarked = lines == 1 && line.starts(with: Self.byteOrderMark)
        body(lines, SignalLine(isMarked ? UnsafeRawBufferPointer(rebasing: line[3...]) : line))
    }
}

extension Signal {
    /// Creates the signal of a line of a signal file, without its newline; nil if the line has none.
    package init?(line: UnsafeRawBufferPointer) {
        guard case .signal(let signal) = SignalLine(line) else { return nil }
        self = signal
    }
}
