internal import TestImages

/// A manifest that the tests write.
package struct TestManifest {
    package var label = "urn:c2pa:11111111-1111-4111-8111-111111111111"
    package var isUpdate = false
    package var version = 2
    package var actions: [Item] = [Self.created]
    /// Further assertions, of CBOR.
    package var assertions: [(label: String, content: Item)] = []
    /// Further assertions, of JSON.
    package var documents: [(label: String, content: String)] = []
    package var generator = "Test camera"
    package var signer: TestSigner
    package var stamp: TestStamp?
    /// Changes the assertion store after it was hashed.
    package var damage: (inout [[UInt8]]) -> Void = { _ in }

    package init(
        label: String = "urn:c2pa:11111111-1111-4111-8111-111111111111", isUpdate: Bool = false, version: Int = 2,
        actions: [Item] = [TestManifest.created], assertions: [(label: String, content: Item)] = [], signer: TestSigner,
        stamp: TestStamp? = nil
    ) {
        self.label = label
        self.isUpdate = isUpdate
        self.version = version
        self.actions = actions
        self.assertions = assertions
        self.signer = signer
        self.stamp = stamp
    }

    /// A manifest whose picture was made in one way.
    package static func created(_ term: String, by signer: TestSigner) -> TestManifest {
        var manifest = TestManifest(signer: signer)
        manifest.actions = [["action": "c2pa.created", "digitalSourceType": .text(vocabulary + term)]]
        return manifest
    }

    /// An action that says nothing about how.
    package static var created: Item {
        ["action": "c2pa.created", "digitalSourceType": "http://c2pa.org/digitalsourcetype/empty"]
    }

    package static let vocabulary = "http://cv.iptc.org/newscodes/digitalsourcetype/"

    /// Returns a superbox.
    package static func superbox(_ kind: String, _ label: String, _ contents: [UInt8]) -> [UInt8] {
        let identifier = Array(kind.utf8) + [0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71]
        return box("jumb", box("jumd", identifier + [3] + Array(label.utf8) + [0]) + contents)
    }

    /// Returns the manifest's box with a hard binding, if that is given.
    package func encoded(binding: (label: String, content: Item)?) throws -> [UInt8] {
        var all = assertions
        if !actions.isEmpty { all.insert(("c2pa.actions.v2", ["actions": .array(actions)]), at: 0) }
        if let binding { all.append(binding) }
        var boxes = all.map { ($0.label, Self.superbox("cbor", $0.label, box("cbor", $0.content.encoded))) }
        boxes += documents.map { ($0.label, Self.superbox("json", $0.label, box("json", Array($0.content.utf8)))) }
        let references = boxes.map { label, bytes in
            Item.map([
                ("url", .text("self#jumbf=c2pa.assertions/\(label)")), ("hash", .bytes(sha256(Array(bytes[8...])))),
            ])
        }
        let information = Item.map([("name", .text(generator))])
        let claim = Item.map([
            ("instanceID", "xmp:iid:1"), ("alg", "sha256"), ("signature", "self#jumbf=c2pa.signature"),
            ("claim_generator_info", version == 1 ? .array([information]) : information),
            (version == 1 ? "assertions" : "created_assertions", .array(references)),
        ]).encoded
        var assertionBoxes = boxes.map { $0.1 }
        damage(&assertionBoxes)
        let claimLabel = version == 1 ? "c2pa.claim" : "c2pa.claim.v2"
        return Self.superbox(
            isUpdate ? "c2um" : "c2ma", label,
            Self.superbox("c2as", "c2pa.assertions", Array(assertionBoxes.joined()))
                + Self.superbox("c2cl", claimLabel, box("cbor", claim))
                + Self.superbox("c2cs", "c2pa.signature", box("cbor", try signer.sign(claim, stamp: stamp))))
    }

    /// Returns the assertion of an ingredient whose manifest is given as it is encoded.
    package static func ingredient(
        _ relationship: String, _ label: String, _ encoded: [UInt8]
    ) -> (label: String, content: Item) {
        let reference = Item.map([
            ("url", .text("self#jumbf=/c2pa/\(label)")), ("hash", .bytes(sha256(Array(encoded[8...])))),
        ])
        return ("c2pa.ingredient.v3", ["relationship": .text(relationship), "activeManifest": reference])
    }
}

/// A kind of file that can hold a manifest store.
package enum TestFile: CaseIterable {
    case jpeg, jpegAtEnd, png, webP, avif

    /// Returns the file with a store, and the range of the bytes that it takes.
    package func embed(_ store: [UInt8]) -> (file: [UInt8], range: Range<Int>) {
        switch self {
        case .jpeg, .jpegAtEnd:
            let offset = self == .jpeg ? 2 : plainJPEG.count - 2
            let segments = Array(Self.segments(store).joined())
            return (plainJPEG[..<offset] + segments + plainJPEG[offset...], offset..<offset + segments.count)
        case .png:
            let chunk = TestImages.chunk("caBX", store)
            let offset = TestImages.pngSignature.count + 25
            return (pngWith(chunk, in: plainPNG), offset..<offset + chunk.count)
        case .webP:
            let start = webPFile([]).count
            let file = webPFile([("C2PA", store)])
            return (file, start..<file.count)
        case .avif:
            let type = box("ftyp", Array("avif".utf8) + big(0) + Array("avifmif1".utf8))
            let identifier: [UInt8] = [
                0xD8, 0xFE, 0xC3, 0xD6, 0x1B, 0x0E, 0x48, 0x3C, 0x92, 0x97, 0x58, 0x28, 0x87, 0x7E, 0xC4, 0x81,
            ]
            let stored = box("uuid", identifier + big(0) + Array("manifest\0".utf8) + big(0) + big(0) + store)
            let rest = box("meta", big(0)) + box("mdat", [1, 2, 3, 4, 5])
            return (type + stored + rest, type.count..<type.count + stored.count)
        }
    }

    /// Returns the APP11 segments for a store.
    package static func segments(_ store: [UInt8], instance: Int = 0x0211, partLength: Int = 64_000) -> [[UInt8]] {
        stride(from: 0, to: store.count, by: partLength).enumerated().map { index, offset in
            let part = store[offset..<min(offset + partLength, store.count)]
            let head = Array("JP".utf8) + big16(instance) + big(index + 1)
            return TestImages.segment(0xEB, head + (index == 0 ? [] : store[..<8]) + part)
        }
    }

    /// Returns the file signed, with the last manifest bound to it.
    ///
    /// - Parameter store: Returns the manifests' boxes for a binding.
    package func signed(_ manifests: (_ binding: (label: String, content: Item)) throws -> [[UInt8]]) throws -> [UInt8]
    {
        func store(_ range: Range<Int>, _ hash: [UInt8]) throws -> [UInt8] {
            TestManifest.superbox("c2pa", "c2pa", Array(try manifests(binding(range, hash)).joined()))
        }
        // The lengths of all numbers but the range's stay the same, so that the second round has the final size.
        let guess = try embed(store(0x4000..<0x5000, Array(repeating: 0, count: 32)))
        let sized = try embed(store(guess.range, Array(repeating: 0, count: 32)))
        let hash = hash(of: sized.file, without: sized.range)
        let result = try embed(store(sized.range, hash))
        precondition(result.range == sized.range)
        return result.file
    }

    package func signed(_ manifest: TestManifest) throws -> [UInt8] {
        try signed { [try manifest.encoded(binding: $0)] }
    }

    private func binding(_ range: Range<Int>, _ hash: [UInt8]) -> (label: String, content: Item) {
        guard self == .avif else {
            let exclusion = Item.map([("start", .int(range.lowerBound)), ("length", .int(range.count))])
            return (
                "c2pa.hash.data",
                ["exclusions": [exclusion], "alg": "sha256", "hash": .bytes(hash), "pad": .bytes([])]
            )
        }
        return (
            "c2pa.hash.bmff.v3",
            [
                "exclusions": [["xpath": "/uuid"], ["xpath": "/ftyp"], ["xpath": "/mfra"]], "alg": "sha256",
                "hash": .bytes(hash),
            ]
        )
    }

    private func hash(of file: [UInt8], without range: Range<Int>) -> [UInt8] {
        let rest = Array(file[range.upperBound...])
        guard self == .avif else { return sha256(Array(file[..<range.lowerBound]) + rest) }
        // The offset of each box precedes it, in eight bytes; the first of the two has twelve.
        let (first, second) = (range.upperBound, range.upperBound + 12)
        return sha256(big(0) + big(first) + Array(rest[..<12]) + big(0) + big(second) + Array(rest[12...]))
    }
}

private func pngWith(_ chunk: [UInt8], in png: [UInt8]) -> [UInt8] {
    let header = TestImages.pngSignature.count + 25
    return png[..<header] + chunk + png[header...]
}
