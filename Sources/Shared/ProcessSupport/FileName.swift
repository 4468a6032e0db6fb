package import ArgumentParser
import Glibc

/// A file's name as the bytes that the system uses, which need not be UTF-8.
package struct FileName: Hashable, Sendable, ExpressibleByArgument {
    /// The bytes of the name, without a zero byte at the end.
    package var bytes: [UInt8]

    /// Makes shells complete an argument of this type with names of files.
    package static var defaultCompletionKind: CompletionKind { .file() }

    /// Creates a name from bytes that the system gave.
    package init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Creates a name that is UTF-8.
    package init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// Creates a name from a word of the command line, in the encoding of ``Arguments``.
    package init(argument: String) {
        bytes = Arguments.bytes(of: argument)
    }

    /// The name as text; nil if it is not UTF-8.
    package var validText: String? { String(validating: bytes, as: UTF8.self) }

    /// The name for people. If it is not UTF-8, its invalid bytes are written as `\xE9`, and a backslash as two.
    package var text: String {
        if let validText { return validText }
        return Unicode.pieces(of: bytes).map { piece in
            switch piece {
            case .text("\\"): "\\\\"
            case .text(let text): text
            case .byte(let byte): "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }

    /// Calls `body` with the name as a C string, which is valid only during the call.
    package func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        try (bytes.map(CChar.init(bitPattern:)) + [0]).withUnsafeBufferPointer { try body($0.baseAddress!) }
    }
}

/// The command line as strings that preserve every byte.
///
/// Swift replaces bytes that are not valid UTF-8, after which the text no longer names the file. Here, each invalid
/// byte 0x80 to 0xFF becomes a character of the private use area, U+EF80 to U+EFFF. If a name contains such a character
/// itself, its bytes are encoded in the same way. ``bytes(of:)`` therefore always returns the original bytes.
package enum Arguments {
    private static let reserved: ClosedRange<UInt32> = 0xEF80...0xEFFF
    private static let offset: UInt32 = 0xEF00

    /// The arguments of this process, without the program's name.
    package static var ofProcess: [String] {
        let words = UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc)).dropFirst()
        return words.compactMap { word in
            guard let word else { return nil }
            return text(of: UnsafeBufferPointer(start: word, count: strlen(word)).map { UInt8(bitPattern: $0) })
        }
    }

    /// Returns the string that encodes the bytes of one argument.
    static func text(of bytes: [UInt8]) -> String {
        func escaped(_ byte: UInt8) -> Unicode.Scalar { Unicode.Scalar(offset + UInt32(byte))! }
        var scalars = String.UnicodeScalarView()
        for piece in Unicode.pieces(of: bytes) {
            switch piece {
            case .byte(let byte): scalars.append(escaped(byte))
            case .text(let text) where text.unicodeScalars.contains { reserved.contains($0.value) }:
                scalars.append(contentsOf: text.utf8.map(escaped))
            case .text(let text): scalars.append(contentsOf: text.unicodeScalars)
            }
        }
        return String(scalars)
    }

    /// Returns the bytes of one argument from the string that encodes them.
    static func bytes(of text: String) -> [UInt8] {
        text.unicodeScalars.flatMap { scalar in
            reserved.contains(scalar.value) ? [UInt8(scalar.value - offset)] : Array(UTF8.encode(scalar)!)
        }
    }
}

extension Unicode {
    /// A part of a name.
    fileprivate enum Piece {
        /// One valid Unicode scalar.
        case text(String)
        /// A byte that is not part of valid UTF-8.
        case byte(UInt8)
    }

    /// Splits bytes into the scalars that they encode in UTF-8, and invalid bytes.
    fileprivate static func pieces(of bytes: [UInt8]) -> [Piece] {
        var pieces: [Piece] = []
        var rest = bytes[...]
        while let first = rest.first {
            let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
            if let text = String(validating: rest.prefix(length), as: UTF8.self) {
                pieces.append(.text(text))
                rest = rest.dropFirst(length)
            } else {
                pieces.append(.byte(first))
                rest = rest.dropFirst()
            }
        }
        return pieces
    }
}
