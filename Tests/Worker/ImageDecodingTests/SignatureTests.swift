import ImageDecoding
import TestImages
import Testing

@Suite struct SignatureTests {
    private static func media(_ brands: String...) -> [UInt8] {
        let compatible = brands.dropFirst().flatMap { Array($0.utf8) }
        let body = Array("ftyp".utf8) + Array(brands[0].utf8) + [0, 0, 0, 0] + compatible
        return [0, 0, 0, UInt8(body.count + 4)] + body
    }

    static let files: [(String, [UInt8])] = [
        ("AVI", Array("RIFF".utf8) + [1, 2, 3, 4] + Array("AVI LIST".utf8)),
        ("RIFF", Array("RIFF".utf8) + [1, 2, 3, 4] + Array("WAVE".utf8)),
        ("HEIF", media("mif1", "mif1")),
        ("MP4", media("isom", "mp41")),
        ("MP4", Array("\0\0\0\0ftyp".utf8)),
        ("QuickTime", media("qt  ")),
        ("CR3", media("crx ", "isom")),
        ("PDF", Array("%PDF-1.7".utf8)),
        ("TIFF", Array("II*\0".utf8) + [8, 0, 0, 0]),
        ("TIFF", Array("MM\0*".utf8)),
        ("BMP", Array("BM".utf8) + [0, 1, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0]),
        ("ICO", [0, 0, 1, 0, 1, 0]),
        ("JPEG XL", [0xFF, 0x0A, 1]),
        ("JPEG XL", [0, 0, 0, 12, 0x4A, 0x58, 0x4C, 0x20, 0x0D, 0x0A, 0x87, 0x0A]),
        ("JPEG 2000", [0, 0, 0, 12, 0x6A, 0x50, 0x20, 0x20, 0x0D, 0x0A, 0x87, 0x0A]),
        ("JPEG 2000", [0xFF, 0x4F, 0xFF, 0x51]),
        ("Netpbm", Array("P6\n4 4\n255\n".utf8)),
        ("ZIP", Array("PK\u{3}\u{4}".utf8)),
        ("gzip", [0x1F, 0x8B, 8]),
        ("SVG", Array("<?xml version=\"1.0\"?>\n<!-- é --><svg xmlns=\"x\">".utf8)),
        ("SVG", Array("\u{FEFF} <svg>".utf8)),
        ("XML", Array("<?xml version=\"1.0\"?><a/>".utf8)),
        ("HTML", Array("\n<!DOCTYPE html><html>".utf8)),
        ("JSON", Array("{\"verb\": \"classify\"}".utf8)),
        ("JPEG in base64", Array("/9j/4AAQSkZJRg".utf8)),
        ("PNG in base64", Array("iVBORw0KGgoAAAA".utf8)),
        ("data URL", Array("data:image/png;base64,iVBO".utf8)),
        ("text", Array("hello".utf8)),
        ("text", Array("BM is not a bitmap, P6 is not a map".utf8)),
        ("text", Array(String(repeating: "é", count: 3000).utf8)),
        ("text", [0x61] + Array(String(repeating: "é", count: 3000).utf8)),
        ("empty", []),
        ("FF", [0xFF]),
        ("00 01 02 03 04 05 06 07", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("80 81", [0x80, 0x81]),
    ]

    @Test(arguments: files)
    func theErrorNamesTheFormatOfAnUnsupportedFile(name: String, file: [UInt8]) throws {
        let error = try #require(failure(file))
        #expect(error.status == 415)
        #expect(error.code == "image_unknown_format")
        #expect(error.message.contains(name), "\(error.message)")
    }

    @Test func everyErrorMessageIsOneSentence() throws {
        for (_, file) in Self.files {
            let message = try #require(failure(file)).message
            #expect(message.first?.isUppercase == true && message.last == "." && !message.dropLast().contains(". "))
        }
    }
}
