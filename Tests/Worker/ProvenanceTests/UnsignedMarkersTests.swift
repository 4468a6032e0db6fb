import Provenance
import TestImages
import TestManifests
import Testing

/// Tests the markers that anyone can write.
@Suite struct UnsignedMarkersTests {
    private static func expect(
        _ file: [UInt8], _ claim: ProvenanceReport.Claim, _ source: ProvenanceReport.Source?,
        _ generator: String? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let found = try report(file)
        #expect(found.claim == claim, sourceLocation: sourceLocation)
        #expect(found.source == source, sourceLocation: sourceLocation)
        #expect(found.generator == generator, sourceLocation: sourceLocation)
        #expect(found.trust == .unsigned, sourceLocation: sourceLocation)
        #expect(found.validation.isEmpty && found.signer == nil && found.digest == nil, sourceLocation: sourceLocation)
    }

    @Test func aPlainPictureSaysNothing() throws {
        for file in [plainJPEG, plainPNG, webPFile([]), [], [0xFF], Array("RIFF".utf8), Array("GIF89a".utf8)] {
            try Self.expect(file, .none, nil)
        }
    }

    /// Phineas1500/sieve-ai-image-detector#43.
    @Test func aMarkerOutsideOfItsContainerDoesNotCount() throws {
        let forged = Array("tEXtprompt\0{\"".utf8)
        try Self.expect(plainJPEG + forged, .none, nil)
        try Self.expect(jpeg(TestImages.segment(0xFE, forged)), .none, nil)
        try Self.expect(plainJPEG + textChunk("parameters", "Steps: 1, Sampler: x"), .none, nil)
        try Self.expect(plainPNG + textChunk("parameters", "Steps: 1, Sampler: x"), .none, nil)
        try Self.expect(plainJPEG + xmpSegment(generatedXMP), .none, nil)
        try Self.expect(jpeg(TestImages.segment(0xFE, Array(generatedXMP.utf8))), .none, nil)
        try Self.expect(jpeg(TestImages.segment(0xE4, Array(generatedXMP.utf8))), .none, nil)
        try Self.expect(webPFile([]) + Array("XMP ".utf8) + little(0) + Array(generatedXMP.utf8), .none, nil)
        try Self.expect(png(TestImages.chunk("cOMM", Array("prompt\0{\"nodes\"".utf8))), .none, nil)
    }

    // MARK: XMP

    @Test(arguments: [
        ("trainedAlgorithmicMedia", ProvenanceReport.Claim.aiGenerated),
        ("compositeWithTrainedAlgorithmicMedia", .aiEdited), ("compositeSynthetic", .aiEdited),
        ("digitalCapture", .captured), ("computationalCapture", .captured), ("negativeFilm", .captured),
        ("positiveFilm", .captured), ("algorithmicMedia", .none), ("digitalArt", .none), ("print", .none),
        ("humanEdits", .none), ("trainedAlgorithmicData", .none), ("nonsense", .none),
    ])
    func theTermOfIPTCDecides(term: String, claim: ProvenanceReport.Claim) throws {
        let prefixes = [
            "http://cv.iptc.org/newscodes/digitalsourcetype/", "https://cv.iptc.org/newscodes/digitalsourcetype/", "",
        ]
        for prefix in prefixes {
            let value = prefix + term
            let source: ProvenanceReport.Source? = claim == .none ? nil : .xmp
            for packet in [
                xmp(attributes: "Iptc4xmpExt:DigitalSourceType='\(value)'"),
                xmp(elements: "<Iptc4xmpExt:DigitalSourceType>\n \(value) </Iptc4xmpExt:DigitalSourceType>"),
                xmp(elements: "<Iptc4xmpExt:DigitalSourceType rdf:resource=\"\(value)\"/>"),
                xmp(
                    elements: "<Iptc4xmpExt:DigitalSourceType><rdf:Bag><rdf:li>x</rdf:li><rdf:li>\(value)</rdf:li>"
                        + "</rdf:Bag></Iptc4xmpExt:DigitalSourceType>"),
            ] {
                try Self.expect(jpeg(xmpSegment(packet)), claim, source)
            }
        }
    }

    /// MediaArea/MediaInfoLib PR #2275.
    @Test func theMisspeltNameCountsToo() throws {
        let packet = xmp(attributes: #"Iptc4xmpExt:DigitalSourceFileType="\#(generatedTerm)""#)
        try Self.expect(jpeg(xmpSegment(packet)), .aiGenerated, .xmp)
    }

    @Test func otherPropertiesOfXMPCount() throws {
        let label = #"{&quot;Label&quot;:&quot;1&quot;,&quot;ContentProducer&quot;:&quot;example&quot;}"#
        for (packet, claim, source, generator) in [
            (
                xmp(attributes: #"photoshop:Credit="Made with Google AI""#), ProvenanceReport.Claim.aiGenerated, .xmp,
                nil
            ),
            (xmp(attributes: #"photoshop:Credit="Edited with Google AI""#), .aiEdited, .xmp, nil),
            (xmp(attributes: #"photoshop:Credit="A photographer""#), .none, nil, nil),
            (xmp(attributes: #"xmp:CreatorTool="Adobe Firefly 3""#), .aiGenerated, .xmp, "Adobe Firefly 3"),
            (xmp(attributes: #"xmp:CreatorTool="Imagenomic Portraiture""#), .none, nil, nil),
            (xmp(attributes: #"xmp:CreatorTool="Adobe Photoshop 26.1""#), .none, nil, nil),
            (
                xmp(elements: "<Iptc4xmpExt:AISystemUsed>Model 4</Iptc4xmpExt:AISystemUsed>"), .aiGenerated, .xmp,
                "Model 4"
            ),
            (xmp(attributes: "TC260:AIGC=\"\(label)\""), .aiGenerated, .tc260, "example"),
            (xmp(elements: "<TC260:AIGC>\(label)</TC260:AIGC>"), .aiGenerated, .tc260, "example"),
            (
                xmp(
                    elements: "<dc:description><rdf:Alt><rdf:li xml:lang='x-default'>a cat --v 6 "
                        + "Job ID: 01234567-89ab-cdef-0123-456789abcdef</rdf:li></rdf:Alt></dc:description>"),
                .aiGenerated, .xmp, "Midjourney"
            ),
        ] as [(String, ProvenanceReport.Claim, ProvenanceReport.Source?, String?)] {
            try Self.expect(jpeg(xmpSegment(packet)), claim, source, generator)
        }
    }

    @Test func aPropertyOfSomethingElseDoesNotCount() throws {
        let inner = "<rdf:Description Iptc4xmpExt:DigitalSourceType='\(generatedTerm)'/>"
        for elements in [
            "<xmp:Thumbnails>\(inner)</xmp:Thumbnails>",
            "<xmp:Pantry><rdf:Bag><rdf:li rdf:parseType='Resource'><Iptc4xmpExt:DigitalSourceType>\(generatedTerm)"
                + "</Iptc4xmpExt:DigitalSourceType></rdf:li></rdf:Bag></xmp:Pantry>",
            "<!-- <Iptc4xmpExt:DigitalSourceType>\(generatedTerm)</Iptc4xmpExt:DigitalSourceType> -->",
            "<other xmlns:Iptc4xmpExt='http://example.org/' Iptc4xmpExt:DigitalSourceType='\(generatedTerm)'/>",
        ] {
            try Self.expect(jpeg(xmpSegment(xmp(elements: elements))), .none, nil)
        }
    }

    /// contentauth/c2pa-rs#2430.
    @Test func noAddressAndNoEntityIsFollowed() throws {
        let packet = xmp(attributes: #"dcterms:provenance="http://169.254.169.254/latest""#)
        try Self.expect(jpeg(xmpSegment(packet)), .none, nil)
        let bomb = "<!DOCTYPE x [<!ENTITY a \"\(generatedTerm)\"><!ENTITY b SYSTEM 'file:///etc/passwd'>]>"
        let user = xmp(attributes: #"Iptc4xmpExt:DigitalSourceType="&a;" xmp:CreatorTool="&b;""#)
        try Self.expect(jpeg(xmpSegment(bomb + user)), .none, nil)
    }

    @Test func referencesToCharactersAreRead() throws {
        let term = "trained&#65;lgorithmic&#x4D;edia"
        let packet = xmp(
            attributes: "Iptc4xmpExt:DigitalSourceType='\(term)' xmp:CreatorTool='A &amp; B &lt;&unknown;'")
        try Self.expect(jpeg(xmpSegment(packet)), .aiGenerated, .xmp, "A & B <&unknown;")
    }

    @Test func aPacketOverSeveralSegmentsIsJoined() throws {
        let identifier = "0123456789ABCDEF0123456789ABCDEF"
        let main = xmpSegment(xmp(attributes: "xmpNote:HasExtendedXMP='\(identifier)'"))
        let rest = Array(generatedXMP.utf8)
        func part(_ range: Range<Int>, length: Int? = nil) -> [UInt8] {
            let head = Array("http://ns.adobe.com/xmp/extension/\0\(identifier)".utf8)
            return TestImages.segment(0xE1, head + big(length ?? rest.count) + big(range.lowerBound) + rest[range])
        }
        let (first, second) = (part(0..<300), part(300..<rest.count))
        try Self.expect(jpeg(main, first, second), .aiGenerated, .xmp)
        try Self.expect(jpeg(second, first, main), .aiGenerated, .xmp)
        try Self.expect(jpeg(main, first), .none, nil)
        try Self.expect(jpeg(main, second, second), .none, nil)
        try Self.expect(jpeg(first, second), .none, nil)
        #expect(excess(jpeg(main, part(0..<300, length: 100_000_000))) != nil)
    }

    @Test func xmpIsFoundInEveryContainer() throws {
        let packet = Array(generatedXMP.utf8)
        try Self.expect(png(internationalChunk("XML:com.adobe.xmp", generatedXMP)), .aiGenerated, .xmp)
        try Self.expect(webPFile([("XMP ", packet)]), .aiGenerated, .xmp)
        let type = box("ftyp", Array("avif".utf8) + big(0))
        let identifier: [UInt8] = [
            0xBE, 0x7A, 0xCF, 0xCB, 0x97, 0xA9, 0x42, 0xE8, 0x9C, 0x71, 0x99, 0x94, 0x91, 0xE3, 0xAF, 0xAC,
        ]
        try Self.expect(type + box("uuid", identifier + packet), .aiGenerated, .xmp)
        let entry = box("infe", [2, 0, 0, 0] + big16(7) + big16(0) + Array("mime\0application/rdf+xml\0".utf8))
        let items = box("iinf", big(0) + big16(1) + entry)
        func meta(_ offset: Int) -> [UInt8] {
            let location = big(0) + [0x44, 0x00] + big16(1) + big16(7) + big16(0) + big16(1)
            return box("meta", big(0) + items + box("iloc", location + big(offset) + big(packet.count)))
        }
        let offset = type.count + meta(0).count + 8
        try Self.expect(type + meta(offset) + box("mdat", packet), .aiGenerated, .xmp)
        try Self.expect(type + meta(offset + 100) + box("mdat", packet), .none, nil)
    }

    // MARK: IPTC and EXIF

    @Test func theCreditOfIPTCCounts() throws {
        func segment(_ field: UInt8, _ value: String) -> [UInt8] {
            let record = [0x1C, 2, field] + big16(value.utf8.count) + Array(value.utf8)
            let padded = record + (record.count % 2 == 0 ? [] : [0])
            let resources =
                Array("8BIM".utf8) + big16(0x0425) + [0, 0] + big(2) + [1, 2] + Array("8BIM".utf8) + big16(0x0404)
                + [0, 0] + big(record.count) + padded
            return TestImages.segment(0xED, Array("Photoshop 3.0\0".utf8) + resources)
        }
        try Self.expect(jpeg(segment(110, "Made with Google AI")), .aiGenerated, .iptc)
        try Self.expect(jpeg(segment(110, "Edited with Google AI")), .aiEdited, .iptc)
        try Self.expect(jpeg(segment(110, "A photographer")), .none, nil)
        try Self.expect(jpeg(segment(105, "Made with Google AI")), .none, nil)
        try Self.expect(jpeg(segment(65, "Midjourney")), .aiGenerated, .iptc, "Midjourney")
    }

    private static let parameters = "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7"

    @Test func theCommentOfEXIFIsReadInEveryEncoding() throws {
        let text = Self.parameters
        let bigUnits = text.utf16.flatMap { big16(Int($0)) }
        let littleUnits = text.utf16.flatMap { Array(big16(Int($0)).reversed()) }
        for bigEndian in [false, true] {
            for comment in [
                Array("UNICODE\0".utf8) + bigUnits, Array("UNICODE\0".utf8) + littleUnits,
                Array("ASCII\0\0\0".utf8) + text.utf8, [0, 0, 0, 0, 0, 0, 0, 0] + Array(text.utf8), Array(text.utf8),
            ] {
                let block = tiff([0x010F: Array("Camera\0".utf8)], comment: comment, bigEndian: bigEndian)
                for file in [
                    jpeg(TestImages.exifSegment(block)), png(TestImages.chunk("eXIf", block)),
                    webPFile([("EXIF", block)]),
                    webPFile([("EXIF", Array("Exif\0\0".utf8) + block)]),
                ] {
                    try Self.expect(file, .aiGenerated, .exif, "Stable Diffusion")
                }
            }
        }
    }

    @Test func theTagsOfEXIFCount() throws {
        for (tag, text, generator) in [
            (0x0131, "Stable Diffusion XL", "Stable Diffusion XL"), (0x0131, "Adobe Photoshop", nil),
            (0x010E, Self.parameters, "Stable Diffusion"), (0x010F, "Google", nil), (0x0110, "Pixel 10", nil),
            (0x010F, #"workflow:{"nodes":[]}"#, "ComfyUI"), (0x0110, #"prompt:{"3":{"class_type":"x"}}"#, "ComfyUI"),
        ] as [(Int, String, String?)] {
            let file = jpeg(TestImages.exifSegment(tiff([tag: Array(text.utf8) + [0]])))
            try Self.expect(file, generator == nil ? .none : .aiGenerated, generator == nil ? nil : .exif, generator)
        }
        let label = #"{"AIGC":{"Label":"1","ContentProducer":"example"}}"#
        let file = jpeg(TestImages.exifSegment(tiff([:], comment: Array("ASCII\0\0\0".utf8) + label.utf8)))
        try Self.expect(file, .aiGenerated, .tc260, "example")
    }

    // MARK: PNG

    @Test func textsOfGeneratorsCount() throws {
        let graph = #"{"3":{"class_type":"KSampler"}}"#
        for (keyword, value, generator) in [
            ("parameters", Self.parameters, "Stable Diffusion"), ("prompt", graph, "ComfyUI"),
            ("workflow", #"{"nodes":[]}"#, "ComfyUI"), ("prompt", "Please press a key", nil),
            ("Dream", "a cat -s 50", "InvokeAI"), ("sd-metadata", "{}", "InvokeAI"),
            ("invokeai_metadata", "{}", "InvokeAI"), ("Software", "NovelAI", "NovelAI"),
            ("Software", "GIMP", nil), ("Title", "A cat", nil),
            ("Description", "a cat Job ID: 01234567-89ab-cdef-0123-456789abcdef", "Midjourney"),
            ("Description", "Job ID: 12", nil),
        ] as [(String, String, String?)] {
            for chunk in [
                textChunk(keyword, value), internationalChunk(keyword, value),
                compressedChunk(keyword, Array(value.utf8)),
            ] {
                try Self.expect(
                    png(chunk), generator == nil ? .none : .aiGenerated, generator == nil ? nil : .pngText, generator)
            }
        }
        try Self.expect(
            png(textChunk("AIGC", #"{"Label":"2","ContentProducer":"example"}"#)), .aiGenerated, .tc260, "example")
        try Self.expect(png(textChunk("AIGC", #"{"Label":"0"}"#)), .none, nil)
    }

    /// LykosAI/StabilityMatrix#1535 and Comfy-Org/ComfyUI PR #2822.
    @Test func textIsFoundInEveryEncoding() throws {
        for chunk in [
            textChunk("parameters", "テスト"), textChunk("parameters", #"\u30c6\u30b9\u30c8"#),
            internationalChunk("parameters", "テスト"), TestImages.chunk("tEXt", Array("parameters\0".utf8) + [0xE9]),
        ] {
            try Self.expect(png(chunk), .aiGenerated, .pngText, "Stable Diffusion")
        }
    }

    @Test func theStrongestMarkerIsReported() throws {
        let captured = xmp(attributes: "Iptc4xmpExt:DigitalSourceType='digitalCapture'")
        try Self.expect(jpeg(xmpSegment(captured), xmpSegment(generatedXMP)), .aiGenerated, .xmp)
        let file = png(internationalChunk("XML:com.adobe.xmp", captured) + textChunk("parameters", "x"))
        try Self.expect(file, .aiGenerated, .pngText, "Stable Diffusion")
    }

    @Test func aGeneratorsNameIsCutToWholeCharacters() throws {
        let name = "Midjourney " + String(repeating: "é", count: 100) + "\u{7}"
        let found = try report(png(textChunk("Software", name))).generator
        #expect(found == "Midjourney " + String(repeating: "é", count: 58))
    }
}
