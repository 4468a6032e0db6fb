import Provenance
import TestImages
import TestManifests
import Testing

/// Tests files that contradict themselves, are cut off, or would take too long.
@Suite struct HostileFilesTests {
    private static let root = try! TestSigner(organisation: "Root", extensions: TestSigner.authorityExtensions)
    private static let signer = try! TestSigner(organisation: "Signer", issuer: root)
    private static let anchors = try! TrustAnchors(pem: root.pem)
    private static var manifest: TestManifest { .created("trainedAlgorithmicMedia", by: signer) }

    private static func store(_ manifests: [[UInt8]]) -> [UInt8] {
        TestManifest.superbox("c2pa", "c2pa", Array(manifests.joined()))
    }

    // MARK: Cycles and several stores

    /// Returns a store of manifests, of which each is an ingredient of the one before; the first is the active one.
    private func chain(_ labels: [String], last: String? = nil) throws -> [UInt8] {
        var boxes: [[UInt8]] = []
        for (index, label) in labels.enumerated() {
            var manifest = Self.manifest
            manifest.label = label
            if let next = index + 1 < labels.count ? labels[index + 1] : last {
                manifest.assertions = [TestManifest.ingredient("parentOf", next, box("jumb", []))]
            }
            boxes.append(try manifest.encoded(binding: nil))
        }
        return TestFile.jpeg.embed(Self.store(boxes.reversed())).file
    }

    /// contentauth/c2pa-rs#1578.
    @Test func manifestsInACircleEnd() throws {
        #expect(try excess(chain(["a"], last: "a"))?.contains("ingredient of itself") == true)
        #expect(try excess(chain(["a", "b", "c"], last: "a"))?.contains("ingredient of itself") == true)
        #expect(try excess(chain(["a", "b", "c"], last: "b"))?.contains("ingredient of itself") == true)
        #expect(try excess(chain(["a", "b", "a"]))?.contains("same label") == true)
        #expect(try excess(chain(["a", "b", "c"])) == nil)
    }

    @Test func ingredientsOfIngredientsAreBounded() throws {
        let labels = (0..<17).map { "manifest \($0)" }
        #expect(try excess(chain(Array(labels.prefix(16)))) == nil)
        #expect(try excess(chain(labels))?.contains("nested deeper than 16") == true)
    }

    @Test func severalStoresAreBroken() throws {
        let one = Self.store([try Self.manifest.encoded(binding: nil)])
        let other = Self.store([try TestManifest.created("digitalCapture", by: Self.signer).encoded(binding: nil)])
        for stores in [[one, other], [other, one], [one, one]] {
            var (chunks, segments, again): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
            for (index, store) in stores.enumerated() {
                chunks += TestImages.chunk("caBX", store)
                segments += TestFile.segments(store, instance: index).joined()
                again += TestFile.segments(store).joined()
            }
            for file in [png(chunks), jpeg(segments), jpeg(again), webPFile(stores.map { ("C2PA", $0) })] {
                let found = try report(file, anchors: Self.anchors)
                #expect(found.claim == .aiGenerated && found.trust == .broken && found.validation == ["general.error"])
            }
        }
    }

    @Test func aStoreMayBeSplitAnywhere() throws {
        let store = Self.store([try Self.manifest.encoded(binding: nil)])
        for length in [33, 100, 1000] {
            let segments = TestFile.segments(store, partLength: length)
            let limits = ProvenanceLimits(chunks: segments.count)
            let whole = try report(jpeg(Array(segments.joined())), limits: limits)
            #expect(whole.claim == .aiGenerated)
            let apart = Array(segments.map { $0 + TestImages.segment(0xFE, [1, 2, 3]) }.joined())
            #expect(try report(jpeg(apart), limits: limits).digest == whole.digest)
            // Out of order, or with a segment missing.
            let short = Array(segments.dropLast().joined())
            #expect(try report(jpeg(short), limits: limits).trust == .broken)
        }
    }

    // MARK: Damage

    @Test(arguments: TestFile.allCases) func everyTruncationHasAResult(kind: TestFile) throws {
        let file = try kind.signed(Self.manifest)
        for count in 0..<file.count {
            let found = try report(Array(file.prefix(count)), anchors: Self.anchors)
            #expect(found.trust != .trusted, "\(count) of \(file.count) bytes")
        }
        #expect(try report(file, anchors: Self.anchors).trust == .trusted)
    }

    @Test(arguments: TestFile.allCases) func noChangedByteIsTrusted(kind: TestFile) throws {
        let file = try kind.signed(Self.manifest)
        let whole = try report(file, anchors: Self.anchors)
        let (_, range) = kind.embed([])
        for offset in stride(from: 0, to: file.count, by: 3) {
            var changed = file
            changed[offset] ^= 0x55
            guard let found = try? report(changed, anchors: Self.anchors) else { continue }
            // Labels of boxes and the like are not signed, but they change nothing of what is. Nor is the type of an
            // ISO media file, before the store.
            if found.trust == .trusted {
                #expect(found.claim == whole.claim && (offset >= range.lowerBound || kind == .avif), "byte \(offset)")
            }
        }
    }

    @Test func damagedManifestsHaveAResult() throws {
        var state: UInt64 = 7
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let store = Self.store([try Self.manifest.encoded(binding: ("c2pa.hash.data", ["hash": .bytes([1])]))])
        for _ in 0..<3000 {
            var damaged = store
            for _ in 0..<1 + next(4) { damaged[next(damaged.count)] = UInt8(next(256)) }
            if let found = try? report(png(TestImages.chunk("caBX", damaged)), anchors: Self.anchors) {
                #expect(found.trust != .trusted)
            }
        }
    }

    @Test func emptyAndUnreadableStoresAreBroken() throws {
        for store in [
            [], [0], box("jumb", []), TestManifest.superbox("c2pa", "c2pa", []),
            TestManifest.superbox("c2xx", "c2pa", []),
            Self.store([TestManifest.superbox("c2ma", "m", [])]), Self.store([TestManifest.superbox("zzzz", "m", [])]),
        ] as [[UInt8]] {
            let found = try report(png(TestImages.chunk("caBX", store)))
            #expect(found.source == .c2pa && found.trust == .broken && found.claim == .none)
            #expect(!found.validation.isEmpty)
        }
        let compressed = Self.store([TestManifest.superbox("c2cm", "m", box("brob", [1]))])
        let found = try report(png(TestImages.chunk("caBX", compressed)))
        #expect(found.trust == .untrusted && found.validation == ["manifest.compressed.invalid"])
    }

    /// contentauth/c2patool#156.
    @Test func segmentsWithoutDataAreSkipped() throws {
        for marker in [0xE0, 0xE1, 0xEB, 0xED, 0xEF, 0xFE] as [UInt8] {
            let file = jpeg(TestImages.segment(marker, []), xmpSegment(generatedXMP))
            #expect(try report(file).claim == .aiGenerated)
        }
        #expect(try report(jpeg([0xFF, 0xE1, 0, 1], xmpSegment(generatedXMP))).claim == .none)
    }

    // MARK: Limits

    @Test func piecesOfMetadataAreBounded() throws {
        let chunk = textChunk("Title", "x")
        #expect(excess(png((0..<256).flatMap { _ in chunk })) == nil)
        #expect(excess(png((0..<257).flatMap { _ in chunk }))?.contains("256 pieces") == true)
        let segment = TestImages.segment(0xE1, [1])
        #expect(excess(jpeg((0..<256).flatMap { _ in segment })) == nil)
        #expect(excess(jpeg((0..<257).flatMap { _ in segment })) != nil)
        #expect(excess(webPFile(Array(repeating: ("EXIF", [1]), count: 257))) != nil)
        let empty = TestFile.avif.embed([])
        #expect(excess(empty.file + Array(repeatElement(Array(empty.file[empty.range]), count: 256).joined())) != nil)
    }

    @Test func theStoresSizeIsBounded() throws {
        let store = Self.store([try Self.manifest.encoded(binding: nil)])
        for limit in [store.count, store.count - 1] {
            let limits = ProvenanceLimits(store: limit)
            let segments = Array(TestFile.segments(store, partLength: 500).joined())
            for file in [png(TestImages.chunk("caBX", store)), webPFile([("C2PA", store)]), jpeg(segments)] {
                #expect((excess(file, limits: limits) == nil) == (limit == store.count))
            }
        }
    }

    @Test func nestedBoxesAreBounded() throws {
        func nested(_ levels: Int) -> [UInt8] {
            (0..<levels).reduce([]) { inner, _ in TestManifest.superbox("c2pa", "c2pa", inner) }
        }
        #expect(excess(png(TestImages.chunk("caBX", nested(16)))) == nil)
        #expect(excess(png(TestImages.chunk("caBX", nested(17))))?.contains("deeper than 16") == true)
        #expect(excess(png(TestImages.chunk("caBX", nested(5000)))) != nil)
    }

    @Test func nestedValuesAndElementsAreBounded() throws {
        let deep = Array(repeating: UInt8(0x81), count: 100_000)
        let claim = TestManifest.superbox(
            "c2ma", "m", TestManifest.superbox("c2cl", "c2pa.claim", box("cbor", deep)))
        #expect(excess(png(TestImages.chunk("caBX", Self.store([claim]))))?.contains("nested deeper") == true)
        let elements = String(repeating: "<a>", count: 20_000)
        #expect(excess(png(internationalChunk("XML:com.adobe.xmp", elements)))?.contains("nested deeper") == true)
        let open = String(repeating: "{\"AIGC\":", count: 100_000)
        #expect(excess(png(textChunk("AIGC", open))) == nil)
    }

    @Test func valuesAreBounded() throws {
        let many = [0x9A] + big(200_000) + Array(repeating: 0, count: 200_000)
        let claim = TestManifest.superbox(
            "c2ma", "m", TestManifest.superbox("c2cl", "c2pa.claim", box("cbor", many)))
        #expect(excess(png(TestImages.chunk("caBX", Self.store([claim]))))?.contains("values") == true)
        // A length that the data does not have.
        let short = TestManifest.superbox(
            "c2ma", "m",
            TestManifest.superbox("c2cl", "c2pa.claim", box("cbor", [0x9B] + Array(repeating: 0x7F, count: 8))))
        #expect(try report(png(TestImages.chunk("caBX", Self.store([short])))).validation == ["claim.cbor.invalid"])
        let tags = String(repeating: "<a/>", count: 60_000)
        #expect(excess(png(internationalChunk("XML:com.adobe.xmp", tags)))?.contains("values") == true)
    }

    /// image-rs/image-png#696.
    @Test func textThatInflatesTooFarIsRefused() throws {
        let most = [UInt8](repeating: 65, count: 1 << 20)
        #expect(excess(png(compressedChunk("Comment", most))) == nil)
        #expect(excess(png(compressedChunk("Comment", most + [65])))?.contains("1048576 bytes") == true)
        #expect(excess(png(compressedChunk("of no interest", most + [65]))) != nil)
        let flagged = Array("XML:com.adobe.xmp\0".utf8) + [1, 0, 0, 0] + TestImages.zlib(most + [65])
        #expect(excess(png(TestImages.chunk("iTXt", flagged))) != nil)
        // A damaged stream is no text.
        var damaged = Array("parameters\0\0".utf8) + TestImages.zlib([65, 66])
        damaged[14] ^= 0xFF
        #expect(try report(png(TestImages.chunk("zTXt", damaged))).claim == .none)
    }

    @Test func processorTimeIsBounded() throws {
        let file = try TestFile.jpeg.signed(Self.manifest)
        /// Reads with a clock that goes on by a millisecond at each look.
        func message(_ time: Duration) -> String? {
            var looks = 0
            do {
                _ = try file.withUnsafeBytes {
                    try ProvenanceReader(limits: .init(time: time)).read($0, at: present) {
                        looks += 1
                        return .milliseconds(looks)
                    }
                }
                return nil
            } catch {
                return "\(error)"
            }
        }
        #expect(message(.milliseconds(3))?.hasPrefix("422 evidence_too_complex: ") == true)
        #expect(message(.seconds(10)) == nil)
    }

    @Test func stopsAtTheLimitForEachKindOfLongWork() throws {
        // Each file is cheap to make and expensive to read without limits; with them, it ends.
        let clock = ContinuousClock()
        let stuffed =
            [0xFF, 0xD8, 0xFF, 0xDA, 0, 2] + Array(repeating: [0xFF, 0] as [UInt8], count: 2_000_000).joined()
        let quotes = Array(String(repeating: "<a b=\"", count: 100_000).utf8)
        let references = Array(
            (xmp(attributes: "xmp:CreatorTool='" + String(repeating: "&", count: 500_000) + "'")).utf8)
        for file in [stuffed, webPFile([("XMP ", quotes)]), webPFile([("XMP ", references)])] {
            let took = clock.measure { _ = excess(file) }
            #expect(took < .seconds(5))
        }
    }
}
