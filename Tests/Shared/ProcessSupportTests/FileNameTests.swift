import Testing

@testable import ProcessSupport

@Suite struct FileNameTests {
    private static let names: [[UInt8]] = [
        [], Array("plain.jpg".utf8), Array("größe 😀.png".utf8), [0x63, 0x61, 0x66, 0xE9], [0xFF, 0xFE], [0x80],
        // Truncated and overlong sequences, and a surrogate.
        [0xC3], [0xF0, 0x9F, 0x98], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xC3, 0x41],
        // Characters of the private use area that encodes invalid bytes.
        Array("\u{EF80}\u{EFE9}\u{EFFF}".utf8), [0xE9] + Array("\u{EFE9}".utf8),
    ]

    @Test(arguments: names) func fileNamesPassThroughTheCommandLineByteForByte(name: [UInt8]) {
        #expect(FileName(argument: Arguments.text(of: name)).bytes == name)
    }

    @Test func differentNamesAreDifferentArguments() {
        #expect(Set(Self.names.map(Arguments.text)).count == Self.names.count)
    }

    @Test func everyByteOfAnArgumentIsKept() {
        for byte in UInt8.min...UInt8.max {
            #expect(FileName(argument: Arguments.text(of: [0x61, byte, 0x62])).bytes == [0x61, byte, 0x62])
        }
    }

    @Test func namesAreShownAsTextWithInvalidBytesEscaped() {
        #expect(FileName("a\\b é").text == "a\\b é")
        #expect(FileName(bytes: [0x61, 0x5C, 0x0F, 0xE9]).text == "a\\\\\u{0F}\\xE9")
        #expect(FileName(bytes: [0xE9]).validText == nil)
        #expect(FileName("é").validText == "é")
    }

    @Test func cFunctionsGetTheUnchangedBytes() {
        let bytes = FileName(bytes: [0x61, 0xE9]).withCString { [$0[0], $0[1], $0[2]] }
        #expect(bytes == [0x61, CChar(bitPattern: 0xE9), 0])
    }
}
