/// A manifest of a C2PA store.
struct ClaimManifest {
    let label: String
    let box: Superbox
    /// Whether it only adds to its parent and leaves the picture alone.
    let isUpdate: Bool
    /// The version of the claim: 1 (`c2pa.claim`) or 2 (`c2pa.claim.v2`).
    let version: Int
    let claim: Value
    /// The claim as it was signed.
    let claimBytes: ByteView
    /// The COSE signature; nil if there is none.
    let signature: ByteView?
    let assertions: [Assertion]
    /// The assertions that the claim names.
    let references: [Reference]

    struct Assertion {
        let box: Superbox
        /// The label without its number and version: `c2pa.actions` of `c2pa.actions.v2__1`.
        let name: String

        init(_ box: Superbox) {
            self.box = box
            var name = Substring(box.label)
            if let number = name.firstRange(of: "__") { name = name[..<number.lowerBound] }
            if let version = name.lastIndex(of: "."), name[version...].dropFirst().first == "v",
                name[version...].dropFirst(2).allSatisfy(\.isNumber)
            {
                name = name[..<version]
            }
            self.name = String(name)
        }

        /// Returns the assertion's content, of CBOR or JSON; nil if it has neither or is damaged.
        func value(_ effort: Effort) throws(EvidenceError) -> Value? {
            if let cbor = box.content("cbor") { return try CBOR.value(cbor, effort) }
            try effort.checkTime()
            return box.content("json").flatMap(JSON.value)
        }
    }

    /// Why a box is no manifest, as a status code.
    enum Fault: String {
        case claimMissing = "claim.missing"
        case severalClaims = "claim.multiple"
        case claimMalformed = "claim.cbor.invalid"
        /// A manifest compressed by Brotli, which is not read.
        case compressed = "manifest.compressed.invalid"
        case other = "general.error"
    }

    /// The kind of a box with a compressed manifest.
    static let compressedKind = "c2cm"

    enum Outcome {
        case manifest(ClaimManifest)
        case fault(Fault)
    }

    /// Reads a manifest from its box.
    static func read(_ box: Superbox, _ effort: Effort) throws(EvidenceError) -> Outcome {
        guard box.kind == "c2ma" || box.kind == "c2um" else {
            return .fault(box.kind == compressedKind ? .compressed : .other)
        }
        let claims = box.children.filter { $0.kind == "c2cl" }
        guard let first = claims.first else { return .fault(.claimMissing) }
        guard claims.count == 1 else { return .fault(.severalClaims) }
        guard let bytes = first.content("cbor"), let claim = try CBOR.value(bytes, effort), claim.isMap else {
            return .fault(.claimMalformed)
        }
        let store = box.children.first { $0.kind == "c2as" }
        let lists = ["assertions", "created_assertions", "gathered_assertions"]
        return .manifest(
            ClaimManifest(
                label: box.label, box: box, isUpdate: box.kind == "c2um",
                version: first.label.hasPrefix("c2pa.claim.v2") ? 2 : 1, claim: claim, claimBytes: bytes,
                signature: box.children.first { $0.kind == "c2cs" }?.content("cbor"),
                assertions: store?.children.map(Assertion.init) ?? [],
                references: lists.flatMap { claim[$0]?.array ?? [] }.compactMap { Reference($0) }))
    }

    /// The algorithm of hashes that do not name their own.
    var hashAlgorithm: String? { claim["alg"]?.text }

    func assertions(named name: String) -> [Assertion] { assertions.filter { $0.name == name } }

    /// The program that made the claim, with its version.
    var generator: String? {
        let information = claim["claim_generator_info"]
        let first = information?.array?.first ?? information
        guard let name = first?["name"]?.text else { return claim["claim_generator"]?.text }
        return first?["version"]?.text.map { "\(name) \($0)" } ?? name
    }
}

/// An ingredient of a picture.
struct Ingredient {
    enum Relationship: String { case parentOf, componentOf, inputTo }

    let relationship: Relationship
    /// The ingredient's own manifest; nil if it has none.
    let manifest: Reference?
    /// The label of the assertion that describes it.
    let label: String
    let sourceType: String?
    /// The signature of its manifest, by which it is known if parts of the manifest were redacted.
    let signature: Reference?

    /// Reads the assertion `c2pa.ingredient` of any version; nil if it makes no sense.
    init?(_ assertion: ClaimManifest.Assertion, _ value: Value?) {
        guard let relationship = value?["relationship"]?.text.flatMap(Relationship.init(rawValue:)) else { return nil }
        self.relationship = relationship
        manifest = Reference(value?["activeManifest"] ?? value?["c2pa_manifest"])
        label = assertion.box.label
        sourceType = value?["digitalSourceType"]?.text
        signature = Reference(value?["claimSignature"])
    }
}
