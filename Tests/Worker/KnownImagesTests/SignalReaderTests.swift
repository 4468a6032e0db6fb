import TestKit
import Testing

@testable import KnownImages

struct SignalReaderTests {
    private static let digits = String(repeating: "0123456789abcdef", count: 4)

    /// Returns the lines of a text that is read in pieces of `piece` bytes.
    private func lines(_ text: [UInt8], piece: Int = .max) -> [SignalLine] {
        var reader = SignalReader()
        var lines: [SignalLine] = []
        func take(_ number: Int, _ line: SignalLine) {
            lines.append(line)
            #expect(number == lines.count)
        }
        var rest = text[...]
        while !rest.isEmpty {
            Array(rest.prefix(piece)).withUnsafeBytes { reader.feed($0, take) }
            rest = rest.dropFirst(piece)
        }
        reader.finish(take)
        #expect(reader.lines == lines.count)
        return lines
    }

    private func line(_ text: String) -> SignalLine {
        Array(text.utf8).withUnsafeBytes { SignalLine($0) }
    }

    @Test func aLineHasAKindAndDigits() throws {
        let bits = try #require(Bits256(hexadecimal: Self.digits))
        #expect(line("pdq \(Self.digits)") == .signal(Signal(.pdq, bits)))
        #expect(line("sha256 \(Self.digits)") == .signal(Signal(.sha256, bits)))
        #expect(line("  pdq\t \(Self.digits.uppercased()) \r") == .signal(Signal(.pdq, bits)))
    }

    @Test(arguments: ["", " ", "\t\r", "# a comment", "  #pdq"]) func emptyLinesAndCommentsAreBlank(text: String) {
        #expect(line(text) == .blank)
    }

    @Test(arguments: [
        ("video_md5 0123", "has a signal of the type 'video_md5'"),
        ("PDQ \(digits)", "has a signal of the type 'PDQ'"),
        (digits, "begins with no type"),
        ("é \(digits)", "begins with no type"),
        ("pdq", "has 0 characters after 'pdq'"),
        ("pdq \(digits.dropLast())", "has 63 characters after 'pdq'"),
        ("pdq \(digits)0", "has 65 characters after 'pdq'"),
        ("pdq \(digits) 100", "has 68 characters after 'pdq'"),
        ("pdq \(digits.dropLast())g", "has a character after 'pdq' that is no hexadecimal digit"),
        ("sha256 \(digits.dropLast())\0", "has a character after 'sha256' that is no hexadecimal digit"),
        (String(repeating: " ", count: 1025), "is longer than 1024 bytes"),
    ])
    func anyOtherLineIsWrongAndItsHashIsNotTold(text: String, what: String) {
        #expect(line(text) == .wrong(what))
    }

    @Test func linesDoNotDependOnThePieces() {
        let long = String(repeating: "x", count: 5000)
        let text = "\u{FEFF}pdq \(Self.digits)\r\n\n# a\nsha256 \(Self.digits)\n\(long)\nmd5 1\npdq \(Self.digits)"
        let whole = lines(Array(text.utf8))
        #expect(whole.count == 7)
        #expect(whole[1] == .blank && whole[4] == .wrong("is longer than 1024 bytes"))
        guard case .signal = whole[0], case .signal = whole[6] else {
            Issue.record("\(whole)")
            return
        }
        for piece in [1, 2, 3, 63, 70, 1023, 1024, 1025] { #expect(lines(Array(text.utf8), piece: piece) == whole) }
        #expect(lines([]).isEmpty)
        #expect(lines(Array("\n".utf8)) == [.blank])
    }

    @Test func anyBytesGiveLines() {
        var random = SeededGenerator(seed: 3)
        let alphabet = Array("pdq sha256 \(Self.digits)\n\r\t#".utf8) + [0, 0xC3, 0xFF]
        for _ in 0..<500 {
            let bytes = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                alphabet.randomElement(using: &random)!
            }
            #expect(lines(bytes) == lines(bytes, piece: 7))
        }
    }
}
