import Provenance
import TestImages
import TestManifests
import Testing

/// Tests manifests that are signed with certificates of the tests.
@Suite struct SignedClaimsTests {
    private static let root = try! TestSigner(organisation: "Root", extensions: TestSigner.authorityExtensions)
    private static let signer = try! TestSigner(organisation: "Camera maker", issuer: root)
    private static let anchors = try! TrustAnchors(pem: root.pem)

    private static let passed = [
        "claimSignature.insideValidity", "claimSignature.validated", "assertion.hashedURI.match",
    ]

    @Test(arguments: TestFile.allCases) func aSignedCaptureIsFoundInEveryContainer(kind: TestFile) throws {
        let file = try kind.signed(.created("digitalCapture", by: Self.signer))
        let match = kind == .avif ? "assertion.bmffHash.match" : "assertion.dataHash.match"
        // contentauth/c2pa-rs#1609: a private root.
        let unknown = try report(file)
        #expect(unknown.claim == .captured && unknown.trust == .untrusted && unknown.source == .c2pa)
        #expect(
            unknown.validation == ["signingCredential.ocsp.skipped", "signingCredential.untrusted"] + Self.passed + [
                match
            ])
        #expect(unknown.signer == "Camera maker" && unknown.generator == "Test camera")
        #expect(unknown.digest?.count == 64)
        let known = try report(file, anchors: Self.anchors)
        #expect(known.claim == .captured && known.trust == .trusted)
        #expect(
            known.validation == ["signingCredential.ocsp.skipped", "signingCredential.trusted"] + Self.passed + [match])
    }

    @Test(arguments: TestSigner.Kind.allCases) func everyAlgorithmIsChecked(kind: TestSigner.Kind) throws {
        let root = try TestSigner(kind, organisation: "Root", extensions: TestSigner.authorityExtensions)
        let middle = try TestSigner(
            .p256, organisation: "Middle", issuer: root,
            extensions: TestSigner.authorityExtensions + [(TestSigner.signerExtensions[3])])
        let signer = try TestSigner(kind, organisation: "Signer", issuer: middle)
        let file = try TestFile.jpeg.signed(.created("trainedAlgorithmicMedia", by: signer))
        let found = try report(file, anchors: TrustAnchors(pem: root.pem))
        #expect(found.trust == .trusted && found.claim == .aiGenerated, "\(found.validation)")
        // An anchor need not be a root, and may be the signer's own certificate.
        #expect(try report(file, anchors: TrustAnchors(pem: middle.pem)).trust == .trusted)
        #expect(try report(file, anchors: TrustAnchors(pem: signer.pem)).trust == .trusted)
        #expect(try report(file, anchors: Self.anchors).trust == .untrusted)
    }

    /// BitMind-AI/bitmind-subnet PR #358.
    @Test func aNameIsNoReasonToTrust() throws {
        let real = try TestSigner(organisation: "Stability AI Ltd", extensions: TestSigner.authorityExtensions)
        let anchors = try TrustAnchors(pem: real.pem)
        let selfSigned = try TestSigner(organisation: "Stability AI Ltd")
        let forged = try TestSigner(
            organisation: "Stability AI Ltd",
            issuer: TestSigner(organisation: "x", extensions: TestSigner.authorityExtensions),
            issuerName: "Stability AI Ltd")
        let forgedRoot = try TestSigner(
            organisation: "Stability AI Ltd", extensions: TestSigner.authorityExtensions)
        let byForgedRoot = try TestSigner(organisation: "Stability AI Ltd", issuer: forgedRoot)
        for signer in [selfSigned, forged, byForgedRoot] {
            let found = try report(
                TestFile.jpeg.signed(.created("trainedAlgorithmicMedia", by: signer)), anchors: anchors)
            #expect(found.trust == .untrusted && found.signer == "Stability AI Ltd")
            #expect(found.validation.contains("signingCredential.untrusted"))
            #expect(!found.validation.contains("signingCredential.trusted"))
        }
    }

    @Test func anExpiredCertificateIsNotTrusted() throws {
        for validity in [0..<present - 1, present + 10..<present + 1000] {
            let signer = try TestSigner(organisation: "Signer", issuer: Self.root, validity: validity)
            let file = try TestFile.jpeg.signed(.created("digitalCapture", by: signer))
            let found = try report(file, anchors: Self.anchors)
            #expect(found.trust == .untrusted)
            #expect(found.validation.contains("signingCredential.expired"))
        }
        let file = try TestFile.jpeg.signed(.created("digitalCapture", by: Self.signer))
        #expect(try report(file, anchors: Self.anchors, at: present + 2000).trust == .untrusted)
    }

    /// The stamped time counts if the authority is trusted: then the certificate may expire later.
    @Test(arguments: [false, true]) func aTrustedTimeStampOutlivesTheCertificate(isOld: Bool) throws {
        let later = present + 100_000
        let authority = try TestSigner(
            .rsa, organisation: "Time", issuer: Self.root, extensions: TestStamp.extensions)
        let stranger = try TestSigner(.rsa, organisation: "Time", extensions: TestStamp.extensions)
        var manifest = TestManifest.created("digitalCapture", by: Self.signer)
        func found(_ stamp: TestStamp) throws -> ProvenanceReport {
            manifest.stamp = stamp
            return try report(TestFile.jpeg.signed(manifest), anchors: Self.anchors, at: later)
        }
        let good = try found(TestStamp(authority: authority, isOld: isOld))
        #expect(good.trust == .trusted)
        #expect(
            Array(good.validation.prefix(3)) == [
                "timeStamp.validated", "timeStamp.trusted", "signingCredential.ocsp.skipped",
            ])
        let unknown = try found(TestStamp(authority: stranger, isOld: isOld))
        #expect(unknown.trust == .untrusted && unknown.validation.contains("timeStamp.untrusted"))
        let other = try found(TestStamp(authority: authority, isOld: isOld, damage: { $0 + [0] }))
        #expect(other.trust == .untrusted && other.validation.contains("timeStamp.mismatch"))
        // The authority's own certificate must have been valid, and the signer's too.
        let late = try found(TestStamp(authority: authority, time: present + 5000, isOld: isOld))
        #expect(late.trust == .untrusted && late.validation.contains("timeStamp.untrusted"))
        let young = try TestSigner(
            organisation: "Young", issuer: Self.root, validity: present + 10..<present + 1000)
        manifest.signer = young
        let early = try found(TestStamp(authority: authority, isOld: isOld))
        #expect(early.trust == .untrusted && early.validation.contains("signingCredential.expired"))
    }

    @Test func aCertificateForOtherPurposesIsNotTrusted() throws {
        let base = TestSigner.signerExtensions
        for extensions in [
            base.filter { $0.0 != base[2].0 }, base.filter { $0.0 != base[1].0 }, base.filter { $0.0 != base[3].0 },
            base.map { $0.0 == base[2].0 ? ($0.0, "serverAuth") : $0 },
            base.map { $0.0 == base[2].0 ? ($0.0, "anyExtendedKeyUsage") : $0 },
            base.map { $0.0 == base[2].0 ? ($0.0, "timeStamping,emailProtection") : $0 },
            base.map { $0.0 == base[0].0 ? ($0.0, "critical,CA:TRUE") : $0 },
        ] {
            let signer = try TestSigner(organisation: "Signer", issuer: Self.root, extensions: extensions)
            let file = try TestFile.jpeg.signed(.created("digitalCapture", by: signer))
            let found = try report(file, anchors: Self.anchors)
            #expect(found.trust == .untrusted)
            #expect(found.validation.contains("signingCredential.invalid"), "\(extensions)")
        }
    }

    // MARK: Changes

    @Test(arguments: TestFile.allCases) func aChangedPictureIsBroken(kind: TestFile) throws {
        var file = try kind.signed(.created("trainedAlgorithmicMedia", by: Self.signer))
        // In the image, which is before the store in two of them.
        let offset = kind == .jpegAtEnd ? 30 : kind == .webP ? 21 : file.count - 3
        file[offset] ^= 1
        let found = try report(file, anchors: Self.anchors)
        #expect(found.trust == .broken && found.claim == .aiGenerated)
        #expect(found.validation.contains { $0.hasSuffix("Hash.mismatch") })
    }

    @Test func appendedBytesAreAChange() throws {
        let file = try TestFile.jpeg.signed(.created("digitalCapture", by: Self.signer)) + [0]
        #expect(try report(file, anchors: Self.anchors).trust == .broken)
    }

    @Test func aChangedAssertionIsBroken() throws {
        for (damage, code) in [
            (
                { $0[0] = TestManifest.superbox("cbor", "c2pa.actions.v2", box("cbor", [0xA0])) },
                "assertion.hashedURI.mismatch"
            ),
            ({ $0.removeFirst() }, "assertion.missing"),
            ({ $0.append(TestManifest.superbox("cbor", "c2pa.more", box("cbor", [0xA0]))) }, "assertion.undeclared"),
        ] as [((inout [[UInt8]]) -> Void, String)] {
            var manifest = TestManifest.created("digitalCapture", by: Self.signer)
            manifest.damage = damage
            let found = try report(TestFile.png.signed(manifest), anchors: Self.anchors)
            #expect(found.trust == .broken)
            #expect(found.validation.contains(code))
        }
    }

    @Test func anotherKeysSignatureIsBroken() throws {
        let file = try TestFile.jpeg.signed(.created("digitalCapture", by: Self.signer))
        let needle = Array("Test camera".utf8)
        let offset = try #require(file.indices.first { file[$0...].starts(with: needle) })
        var changed = file
        changed[offset] = UInt8(ascii: "B")
        let found = try report(changed, anchors: Self.anchors)
        #expect(found.trust == .broken && found.validation.contains("claimSignature.mismatch"))
    }

    @Test func aRangeThatIsLeftOutMustBeTheStore() throws {
        // Ten bytes of the picture are not covered, so that it could show anything.
        let file = try TestFile.png.signed { binding in
            var manifest = TestManifest.created("digitalCapture", by: Self.signer)
            manifest.assertions = [binding]
            return [try manifest.encoded(binding: nil)]
        }
        #expect(try report(file, anchors: Self.anchors).trust == .trusted)
        let wide = try TestFile.png.signed { binding in
            guard case .map(var entries) = binding.content, case .bytes = entries[2].1 else { return [] }
            let last = plainPNG.count
            let store = entries[0].1
            guard case .array(let ranges) = store else { return [] }
            entries[0].1 = .array(ranges + [["start": .int(last), "length": 0]])
            let manifest = TestManifest.created("digitalCapture", by: Self.signer)
            return [try manifest.encoded(binding: (binding.label, .map(entries)))]
        }
        let found = try report(wide, anchors: Self.anchors)
        #expect(found.validation.contains("assertion.dataHash.additionalExclusionsPresent"))
        #expect(found.trust == .trusted, "a range of no bytes leaves out nothing")
    }

    @Test func aBindingIsNeeded() throws {
        let manifest = TestManifest.created("digitalCapture", by: Self.signer)
        let file = try TestFile.jpeg.signed { _ in [try manifest.encoded(binding: nil)] }
        let found = try report(file, anchors: Self.anchors)
        #expect(found.trust == .broken && found.validation.contains("claim.hardBindings.missing"))
        var twice = manifest
        let two = try TestFile.jpeg.signed { binding in
            twice.assertions = [("c2pa.hash.data__1", binding.content)]
            return [try twice.encoded(binding: binding)]
        }
        let other = try report(two, anchors: Self.anchors)
        #expect(other.trust == .broken && other.validation.contains("assertion.multipleHardBindings"))
    }

    @Test func aGeneralBoxHashIsChecked() throws {
        func file(_ change: (inout [(String, Range<Int>)]) -> Void) throws -> [UInt8] {
            try TestFile.png.signed { binding in
                // The boxes of the file without the store are the same in all rounds.
                var offset = 8
                var parts = [("PNGh", 0..<8)]
                while offset < plainPNG.count {
                    let length = plainPNG[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } + 12
                    let name = String(decoding: plainPNG[offset + 4..<offset + 8], as: UTF8.self)
                    parts.append((name, offset..<offset + length))
                    offset += length
                }
                change(&parts)
                var boxes = parts.map { name, range in
                    Item.map([
                        ("names", [.text(name)]), ("hash", .bytes(sha256(Array(plainPNG[range])))), ("pad", .bytes([])),
                    ])
                }
                boxes.insert(["names": ["C2PA"], "hash": .bytes([]), "pad": .bytes([])], at: 2)
                let manifest = TestManifest.created("digitalCapture", by: Self.signer)
                return [try manifest.encoded(binding: ("c2pa.hash.boxes", ["boxes": .array(boxes)]))]
            }
        }
        let found = try report(file { _ in }, anchors: Self.anchors)
        #expect(found.trust == .trusted && found.validation.contains("assertion.boxesHash.match"))
        for change in [{ $0[2].1 = 0..<8 }, { $0[2].0 = "tEXt" }] as [(inout [(String, Range<Int>)]) -> Void] {
            let other = try report(file(change), anchors: Self.anchors)
            #expect(other.trust == .broken && other.validation.contains("assertion.boxesHash.mismatch"))
        }
        // A chunk that the hash does not name.
        let open = try report(file { $0.removeLast() }, anchors: Self.anchors)
        #expect(open.trust == .untrusted)
    }

    // MARK: Claims

    /// contentauth/c2pa-js-legacy PR #234.
    @Test func everyPlaceOfATermCounts() throws {
        let composite = Item.text(TestManifest.vocabulary + "compositeWithTrainedAlgorithmicMedia")
        let generated = Item.text(generatedTerm)
        for (actions, documents, claim) in [
            (
                [
                    ["action": "c2pa.created"],
                    ["action": "c2pa.edited", "parameters": ["com.adobe.digitalSourceType": composite]],
                ], [], .aiEdited
            ),
            ([["action": "c2pa.created", "parameters": ["com.adobe.digitalSourceType": generated]]], [], .aiGenerated),
            (
                [["action": "c2pa.created"], ["action": "c2pa.edited", "digitalSourceType": generated]], [],
                .aiGenerated
            ),
            ([["action": "c2pa.created"], ["action": "c2pa.placed", "digitalSourceType": generated]], [], .aiEdited),
            (
                [["action": "c2pa.created"]],
                [("c2pa.metadata", #"{"Iptc4xmpExt:DigitalSourceType":"\#(generatedTerm)"}"#)], .aiGenerated
            ),
            (
                [["action": "c2pa.created"]],
                [("stds.iptc.photo-metadata", #"{"Iptc4xmpExt:DigitalSourceType":{"@id":"\#(generatedTerm)"}}"#)],
                .aiGenerated
            ),
            ([["action": "c2pa.created"]], [], .none),
        ] as [([Item], [(String, String)], ProvenanceReport.Claim)] {
            var manifest = TestManifest(signer: Self.signer)
            manifest.actions = actions
            manifest.documents = documents.map { ($0.0, $0.1) }
            #expect(try report(TestFile.jpeg.signed(manifest)).claim == claim)
        }
    }

    @Test func oldClaimsAreRead() throws {
        var manifest = TestManifest.created("trainedAlgorithmicMedia", by: Self.signer)
        manifest.version = 1
        let found = try report(TestFile.jpeg.signed(manifest), anchors: Self.anchors)
        #expect(found.claim == .aiGenerated && found.trust == .trusted && found.generator == "Test camera")
    }

    @Test func actionsOfANewClaimMustBeginWithTheOrigin() throws {
        for (actions, code) in [
            ([["action": "c2pa.edited"]], "assertion.action.malformed"),
            ([["action": "c2pa.created"], ["action": "c2pa.placed"]], "assertion.action.ingredientMismatch"),
        ] as [([Item], String)] {
            var manifest = TestManifest(signer: Self.signer)
            manifest.actions = actions
            let found = try report(TestFile.jpeg.signed(manifest), anchors: Self.anchors)
            #expect(found.trust == .untrusted && found.validation.contains(code))
        }
    }

    @Test func anUnsignedMarkerOutweighsAnUntrustedCapture() throws {
        var file = try TestFile.jpeg.signed(.created("digitalCapture", by: Self.signer))
        let marked = TestImages.insert(xmpSegment(generatedXMP), into: file)
        let found = try report(marked, anchors: Self.anchors)
        #expect(found.claim == .aiGenerated && found.trust == .unsigned && found.source == .xmp)
        #expect(found.validation.contains("assertion.dataHash.mismatch"))
        // A generated picture stays so, whatever the markers say.
        file = try TestFile.jpeg.signed(.created("trainedAlgorithmicMedia", by: Self.signer))
        let captured = xmpSegment(xmp(attributes: "Iptc4xmpExt:DigitalSourceType='digitalCapture'"))
        let other = try report(TestImages.insert(captured, into: file))
        #expect(other.claim == .aiGenerated && other.trust == .broken && other.source == .c2pa)
    }

    // MARK: Ingredients

    private func edited(
        _ relationship: String, of term: String, by maker: TestSigner = signer, isUpdate: Bool = false,
        change: (inout [UInt8]) -> Void = { _ in }
    ) throws -> [UInt8] {
        try TestFile.jpeg.signed { binding in
            var first = TestManifest.created(term, by: maker)
            first.label = "urn:c2pa:22222222-2222-4222-8222-222222222222"
            first.generator = "First program"
            var encoded = try first.encoded(binding: isUpdate ? binding : nil)
            var second = TestManifest(signer: Self.signer)
            second.isUpdate = isUpdate
            let ingredient = TestManifest.ingredient(relationship, first.label, encoded)
            second.assertions = [ingredient]
            let name = relationship == "parentOf" ? "c2pa.opened" : "c2pa.placed"
            let parameters: Item = ["ingredients": [["url": .text("self#jumbf=c2pa.assertions/\(ingredient.label)")]]]
            let begin: [Item] = relationship == "parentOf" ? [] : [TestManifest.created]
            second.actions = isUpdate ? [] : begin + [["action": .text(name), "parameters": parameters]]
            change(&encoded)
            return [encoded, try second.encoded(binding: isUpdate ? nil : binding)]
        }
    }

    @Test func whatAParentClaimsStays() throws {
        for (relationship, term, claim) in [
            ("parentOf", "trainedAlgorithmicMedia", .aiGenerated), ("parentOf", "digitalCapture", .captured),
            ("componentOf", "trainedAlgorithmicMedia", .aiEdited), ("componentOf", "digitalCapture", .none),
            ("inputTo", "trainedAlgorithmicMedia", .none),
        ] as [(String, String, ProvenanceReport.Claim)] {
            let found = try report(edited(relationship, of: term), anchors: Self.anchors)
            #expect(found.claim == claim)
            if relationship != "inputTo" { #expect(found.trust == .trusted, "\(found.validation)") }
            #expect(found.generator == (claim == .none ? "Test camera" : "First program"))
        }
    }

    @Test func anIngredientIsTrustedForItself() throws {
        let stranger = try TestSigner(organisation: "Stranger")
        let file = try edited("parentOf", of: "trainedAlgorithmicMedia", by: stranger)
        let found = try report(file, anchors: Self.anchors)
        #expect(found.claim == .aiGenerated && found.trust == .untrusted && found.signer == "Camera maker")
        let changed = try edited("parentOf", of: "trainedAlgorithmicMedia") { $0[$0.count - 1] ^= 1 }
        #expect(try report(changed, anchors: Self.anchors).trust == .broken)
    }

    @Test func anUpdateIsBoundByItsParent() throws {
        let found = try report(edited("parentOf", of: "digitalCapture", isUpdate: true), anchors: Self.anchors)
        #expect(found.claim == .captured && found.trust == .trusted, "\(found.validation)")
        let orphan = try report(edited("componentOf", of: "digitalCapture", isUpdate: true), anchors: Self.anchors)
        #expect(orphan.trust == .broken && orphan.validation.contains("manifest.update.wrongParents"))
    }

    @Test func theTrustListMustBeReadable() throws {
        #expect(throws: TrustListError.self) { try TrustAnchors(pem: []) }
        #expect(throws: TrustListError.self) { try TrustAnchors(pem: Array("no certificate".utf8)) }
        #expect(throws: TrustListError.self) { try TrustAnchors(pem: Array(Self.root.pem.dropLast(60))) }
        #expect(throws: TrustListError.self) {
            try TrustAnchors(
                pem: Self.root.pem + Array("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".utf8))
        }
        let both = try TrustAnchors(
            pem: Array("# two\n".utf8) + Self.root.pem + Array("# more\n".utf8) + Self.signer.pem)
        #expect(both.count == 2)
    }
}
