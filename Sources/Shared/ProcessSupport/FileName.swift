package import ArgumentParser
import Glibc

/// The name of a file as the system has it: bytes, which need not be UTF-8.
package struct FileName: Hashable, Sendable, ExpressibleByArgument {
    /// The name, without a zero byte at the end.
    package var bytes: [UInt8]

    /// Shells complete it with the names of files.
    package static var defaultCompletionKind: CompletionKind { .file() }

    /// A name that the system told.
    package init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// A name that is UTF-8.
    package init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// A word of the command line, as ``Arguments`` wrote it.
    package init(argument: String) {
        bytes = Arguments.bytes(of: argument)
    }

    /// The name, if it is UTF-8.
    package var validText: String? { String(validating: bytes, as: UTF8.self) }

    /// The name for people. In one that is not UTF-8 each other byte is written `\xE9`, and a backslash twice.
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

    /// Lends the name to a function of the C library.
    package func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        try (bytes.map(CChar.init(bitPattern:)) + [0]).withUnsafeBufferPointer { try body($0.baseAddress!) }
    }
}

/// The command line in texts that lose no byte.
///
/// Swift mends what is not UTF-8, and then no file has that name. Here a byte that is not part of UTF-8 becomes a character of
/// a private area, U+EF80 to U+EFFF for 80 to FF; the bytes of such a character itself are written in the same way. So
/// ``bytes(of:)`` finds the very bytes.
package enum Arguments {
    private static let reserved: ClosedRange<UInt32> = 0xEF80...0xEFFF
    private static let offset: UInt32 = 0xEF00

    /// The words behind the program's name.
    package static var ofProcess: [String] {
        let words = UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc)).dropFirst()
        return words.compactMap { word in
            guard let word else { return nil }
            return text(of: UnsafeBufferPointer(start: word, count: strlen(word)).map { UInt8(bitPattern: $0) })
        }
    }

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

    static func bytes(of text: String) -> [UInt8] {
        text.unicodeScalars.flatMap { scalar in
            reserved.contains(scalar.value) ? [UInt8(scalar.value - offset)] : Array(UTF8.encode(scalar)!)
        }
    }
}

extension Unicode {
    fileprivate enum Piece {
        /// One character's bytes.
        case text(String)
        /// A byte that belongs to none.
        case byte(UInt8)
    }

    /// Bytes as the scalars that they are in UTF-8, and those that are none.
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
