import Provenance
import TestImages
import TestManifests
import Testing

/// Reads the evidence of a file by a clock that stands still.
func report(
    _ file: [UInt8], limits: ProvenanceLimits = .init(), anchors: TrustAnchors = .none, at time: Int = present
) throws -> ProvenanceReport {
    try file.withUnsafeBytes {
        try ProvenanceReader(limits: limits, anchors: anchors).read($0, at: time) { .zero }
    }
}

/// Returns the message of the error for a file that passes a limit; nil if it passes none.
func excess(_ file: [UInt8], limits: ProvenanceLimits = .init()) -> String? {
    do {
        _ = try report(file, limits: limits)
        return nil
    } catch let error as EvidenceError {
        return error.message
    } catch {
        return "\(error)"
    }
}

/// Returns a PNG with further chunks before its image data.
func png(_ chunks: [UInt8]) -> [UInt8] {
    let header = TestImages.pngSignature.count + 25
    return plainPNG[..<header] + chunks + plainPNG[header...]
}

func textChunk(_ keyword: String, _ value: String) -> [UInt8] {
    TestImages.chunk("tEXt", Array(keyword.utf8) + [0] + value.utf8)
}

func internationalChunk(_ keyword: String, _ value: String) -> [UInt8] {
    TestImages.chunk("iTXt", Array(keyword.utf8) + [0, 0, 0, 0, 0] + value.utf8)
}

func compressedChunk(_ keyword: String, _ value: [UInt8]) -> [UInt8] {
    TestImages.chunk("zTXt", Array(keyword.utf8) + [0, 0] + TestImages.zlib(value))
}

/// Returns a JPEG with another segment after its start marker.
func jpeg(_ segments: [UInt8]...) -> [UInt8] { TestImages.insert(segments.flatMap { $0 }, into: plainJPEG) }

func xmpSegment(_ packet: String) -> [UInt8] {
    TestImages.segment(0xE1, Array("http://ns.adobe.com/xap/1.0/\0".utf8) + packet.utf8)
}

/// Returns an XMP packet with properties as attributes and as elements.
func xmp(attributes: String = "", elements: String = "") -> String {
    """
    <?xpacket begin="\u{FEFF}" id="W5M0MpCehiHzreSzNTczkc9d"?>
    <x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
    <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
        xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
        xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"
        xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"
        \(attributes)>\(elements)</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>
    """
}

let generatedTerm = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
let generatedXMP = xmp(attributes: #"Iptc4xmpExt:DigitalSourceType="\#(generatedTerm)""#)

/// Returns a TIFF block with texts in its first directory and a comment in the directory of EXIF.
func tiff(_ texts: [Int: [UInt8]], comment: [UInt8] = [], bigEndian: Bool = false) -> [UInt8] {
    func number(_ value: Int, _ bytes: Int) -> [UInt8] {
        let little = (0..<bytes).map { UInt8(value >> (8 * $0) & 255) }
        return bigEndian ? little.reversed() : little
    }
    var data: [UInt8] = []
    let entries = texts.count + 1
    let start = 8 + 2 + entries * 12 + 4
    func entry(_ tag: Int, _ type: Int, _ value: [UInt8]) -> [UInt8] {
        var field = value
        if value.count > 4 {
            field = number(start + data.count, 4)
            data += value
        }
        field += Array(repeating: 0, count: 4 - field.count)
        return number(tag, 2) + number(type, 2) + number(value.count, 4) + field
    }
    var directory = number(entries, 2)
    for (tag, text) in texts.sorted(by: { $0.key < $1.key }) { directory += entry(tag, 2, text) }
    // The directory of EXIF comes last, behind the data: it has one entry, the comment.
    let exif = start + texts.values.reduce(0) { $0 + ($1.count > 4 ? $1.count : 0) }
    directory += number(0x8769, 2) + number(4, 2) + number(1, 4) + number(exif, 4) + number(0, 4)
    let inner = number(1, 2) + number(0x9286, 2) + number(7, 2) + number(comment.count, 4) + number(exif + 18, 4)
    let head: [UInt8] = bigEndian ? Array("MM".utf8) + [0, 42] : Array("II".utf8) + [42, 0]
    return head + number(8, 4) + directory + data + inner + number(0, 4) + comment
}
