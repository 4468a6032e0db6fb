import Files
import Glibc
import ImageDecoding
import TestKit
import Testing

@testable import KnownImages

/// A temporary folder. It is removed when this object is released.
final class Folder {
    let path: String

    init() throws {
        var name = "/tmp/bifrons-banks-XXXXXX".utf8CString
        try #require(name.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } } != nil)
        path = String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        system("rm -rf '\(path)'")
    }

    /// Writes a file, in folders of its own if the name has any.
    func write(_ name: String, _ text: String) throws {
        try write(name, Array(text.utf8))
    }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = "\(path)/\(name)"
        if let slash = file.lastIndex(of: "/") { #expect(Files.makeFolder(String(file[..<slash]))) }
        let stream = try #require(fopen(file, "w"))
        fwrite(bytes, 1, bytes.count, stream)
        fclose(stream)
    }
}

extension SeededGenerator {
    mutating func bits() -> Bits256 {
        Bits256(words: SIMD4(next(), next(), next(), next()))
    }
}

extension Bits256 {
    /// Creates bits of which only the lowest 64 are not zero.
    init(_ number: UInt64) {
        self.init(words: SIMD4(number, 0, 0, 0))
    }

    /// Returns these bits with some flipped.
    func flipping(_ positions: some Sequence<Int>) -> Bits256 {
        var words = words
        for position in positions { words[position / 64] ^= 1 << UInt64(position % 64) }
        return Bits256(words: words)
    }

    /// Returns these bits with `count` of them flipped.
    func flipping(_ count: Int, using random: inout SeededGenerator) -> Bits256 {
        flipping((0..<256).shuffled(using: &random).prefix(count))
    }
}

extension PDQ {
    /// A hash that is good enough to match.
    init(_ hash: Bits256, quality: Int = 100) {
        self.init(hash: hash, quality: quality)
    }
}

extension RGBImage {
    /// Creates an image from the grey value of each pixel.
    init(width: Int, height: Int, grey: (_ x: Int, _ y: Int) -> UInt8) {
        var pixels: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                let value = grey(x, y)
                pixels += [value, value, value]
            }
        }
        self.init(width: width, height: height, pixels: pixels)
    }
}
