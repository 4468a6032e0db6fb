import Hexadecimal

/// What a file's manifest store says.
struct SignedClaim {
    var claim = ProvenanceReport.Claim.none
    var trust = ProvenanceReport.Trust.broken
    var generator: String?
    var signer: String?
    var validation: [String] = []
    var digest: String?
}

/// Reads a manifest store: which claim its active manifest makes, itself or by its ingredients, and whether that holds.
struct StoreReader {
    private let file: ByteView
    private let container: Container
    private let store: Container.Store
    private let anchors: TrustAnchors
    private let time: Int
    private let effort: Effort
    private var manifests: [String: Superbox] = [:]
    private var known: [String: ClaimManifest] = [:]
    private var statements: [String: Statement] = [:]
    private var redacted: Set<ManifestCheck.Redaction> = []

    /// What a manifest claims.
    private struct Statement {
        var claim = ProvenanceReport.Claim.none
        /// The labels of the manifests from this one to that which makes the claim.
        var path: [String]
    }

    /// Reads the store; nil if the file has none.
    ///
    /// A file with several stores is broken, whatever they say: C2PA allows one, and programs differ in which they
    /// show.
    static func read(
        _ file: ByteView, _ container: Container, _ anchors: TrustAnchors, time: Int, _ effort: Effort
    ) throws(EvidenceError) -> SignedClaim? {
        guard let first = container.stores.first else { return nil }
        var result = try read(file, container, first, anchors, time: time, effort)
        for store in container.stores.dropFirst() {
            let other = try read(file, container, store, anchors, time: time, effort)
            result.claim = result.claim.stronger(other.claim)
            result.trust = .broken
            result.validation = ["general.error"]
        }
        return result
    }

    private static func read(
        _ file: ByteView, _ container: Container, _ store: Container.Store, _ anchors: TrustAnchors, time: Int,
        _ effort: Effort
    ) throws(EvidenceError) -> SignedClaim {
        let joined = store.pieces.count == 1 ? [] : store.pieces.flatMap(\.buffer)
        return try joined.withUnsafeBytesThrowing { (buffer) throws(EvidenceError) in
            let bytes = store.pieces.count == 1 ? store.pieces[0] : ByteView(buffer: buffer)
            var reader = StoreReader(
                file: file, container: container, store: store, anchors: anchors, time: time, effort: effort)
            return try reader.read(bytes)
        }
    }

    private init(
        file: ByteView, container: Container, store: Container.Store, anchors: TrustAnchors, time: Int, effort: Effort
    ) {
        self.file = file
        self.container = container
        self.store = store
        self.anchors = anchors
        self.time = time
        self.effort = effort
    }

    private mutating func read(_ bytes: ByteView) throws(EvidenceError) -> SignedClaim {
        var result = SignedClaim()
        guard let box = try Superbox.read(bytes, effort), box.kind == "c2pa", let last = box.children.last else {
            result.validation = [ClaimManifest.Fault.other.rawValue]
            return result
        }
        for manifest in box.children {
            guard manifests.updateValue(manifest, forKey: manifest.label) == nil else {
                throw EvidenceError(
                    message: "Two manifests of the file have the same label, \(Self.quoted(manifest.label)).")
            }
        }
        result.digest = try Digest.of(last.whole, "sha256", effort)?.hexadecimal
        let active: ClaimManifest
        switch try ClaimManifest.read(last, effort) {
        case .manifest(let manifest): active = manifest
        case .fault(let fault):
            result.validation = [fault.rawValue]
            result.trust = fault == .compressed ? .untrusted : .broken
            return result
        }
        remember(active)
        let statement = try statement(of: active, path: [])
        result.claim = statement.claim
        result.generator = known[statement.path.last ?? ""]?.generator.flatMap(ReportText.cut)
        try check(active, statement, &result)
        return result
    }

    private static func quoted(_ label: String) -> String { "'\(ReportText.cut(label) ?? "")'" }

    // MARK: Claims

    /// Returns what a manifest claims: its own actions and metadata, or what its parent or a component claims.
    ///
    /// A picture stays generated if it is edited later. With a part that a model made, it is edited by a model.
    ///
    /// - Parameter path: The labels of the manifests that lead here.
    private mutating func statement(of manifest: ClaimManifest, path: [String]) throws(EvidenceError) -> Statement {
        if let statement = statements[manifest.label] { return statement }
        let path = path + [manifest.label]
        try effort.level(path.count, of: "The ingredients", atMost: effort.limits.depth)
        var statement = Statement(path: [manifest.label])
        for assertion in manifest.assertions {
            statement.claim = statement.claim.stronger(try claim(of: assertion))
        }
        for ingredient in try check(of: manifest).ingredients() where ingredient.relationship != .inputTo {
            var claim = ingredient.sourceType.map(SourceType.claim(of:)) ?? ProvenanceReport.Claim.none
            var origin: [String] = []
            if let label = ingredient.manifest?.manifest, let box = manifests[label] {
                guard !path.contains(label) else {
                    throw EvidenceError(
                        message: "Manifest \(Self.quoted(label)) is an ingredient of itself, over others or directly.")
                }
                if let further = try self.manifest(box) {
                    let said = try self.statement(of: further, path: path)
                    (claim, origin) = (claim.stronger(said.claim), said.path)
                }
            }
            if ingredient.relationship == .componentOf { claim = claim.isOfModel ? .aiEdited : .none }
            if claim.stronger(statement.claim) != statement.claim {
                statement = Statement(claim: claim, path: [manifest.label] + origin)
            }
        }
        statements[manifest.label] = statement
        return statement
    }

    private mutating func manifest(_ box: Superbox) throws(EvidenceError) -> ClaimManifest? {
        if let manifest = known[box.label] { return manifest }
        guard case .manifest(let manifest) = try ClaimManifest.read(box, effort) else { return nil }
        remember(manifest)
        return manifest
    }

    private mutating func remember(_ manifest: ClaimManifest) {
        known[manifest.label] = manifest
        for url in manifest.claim["redacted_assertions"]?.array ?? [] {
            guard let reference = url.text.flatMap({ Reference(url: $0) }), let other = reference.manifest,
                other != manifest.label
            else { continue }
            redacted.insert(.init(manifest: other, assertion: reference.label))
        }
    }

    private func check(of manifest: ClaimManifest) -> ManifestCheck {
        ManifestCheck(manifest: manifest, redacted: redacted, anchors: anchors, time: time, effort: effort)
    }

    private static let metadata: Set<String> = [
        "c2pa.metadata", "cawg.metadata", "stds.iptc", "stds.iptc.photo-metadata",
    ]

    private func claim(of assertion: ClaimManifest.Assertion) throws(EvidenceError) -> ProvenanceReport.Claim {
        if assertion.name == "c2pa.actions" {
            let value = try assertion.value(effort)
            var claim = ProvenanceReport.Claim.none
            for action in (value?["actions"]?.array ?? []) + (value?["templates"]?.array ?? []) {
                try effort.item()
                claim = claim.stronger(Self.claim(ofAction: action))
            }
            return claim
        }
        guard Self.metadata.contains(assertion.name) else { return .none }
        let term = try assertion.value(effort)?["Iptc4xmpExt:DigitalSourceType"]
        return (term?.text ?? term?["@id"]?.text).map(SourceType.claim(of:)) ?? ProvenanceReport.Claim.none
    }

    private static func claim(ofAction action: Value) -> ProvenanceReport.Claim {
        let terms = [action["digitalSourceType"], action["parameters"]?["com.adobe.digitalSourceType"]]
        let claims = terms.compactMap { $0?.text }.map(SourceType.claim(of:))
        let claim = claims.reduce(ProvenanceReport.Claim.none) { $0.stronger($1) }
        // What is placed into a picture is a part of it.
        guard action["action"]?.text == "c2pa.placed" else { return claim }
        return claim.isOfModel ? .aiEdited : .none
    }

    // MARK: Checks

    /// Checks the active manifest with the hard binding, and the manifests on the way to the one that makes the claim.
    private mutating func check(
        _ active: ClaimManifest, _ statement: Statement, _ result: inout SignedClaim
    ) throws(EvidenceError) {
        var outcome = try check(of: active).check()
        let bound = try binding(of: active)
        var coversAll = false
        if let bound {
            let bindings = bound.manifest.assertions.filter {
                Binding.names.contains($0.name) && !$0.box.label.hasSuffix(".part")
            }
            if bindings.isEmpty { outcome.fail("claim.hardBindings.missing") }
            if bindings.count > 1 { outcome.fail("assertion.multipleHardBindings") }
            let binding = Binding(
                file: file, container: container, manifestStore: store, algorithm: bound.manifest.hashAlgorithm,
                isUpdated: bound.path.count > 1, effort: effort)
            for assertion in bindings {
                let found = try binding.check(assertion)
                if let information = found.information { outcome.pass(information) }
                if found.isMatch { outcome.pass(found.code) } else { outcome.fail(found.code) }
                coversAll = found.coversAll
            }
        } else {
            outcome.fail("claim.hardBindings.missing")
        }
        try ActionCheck(manifest: active, ingredients: check(of: active).ingredients(), effort: effort).check(&outcome)
        result.signer = outcome.signer
        result.validation = outcome.codes.reduce(into: []) { codes, code in
            if !codes.contains(code) { codes.append(code) }
        }
        result.trust = outcome.trust
        if result.trust == .trusted, !coversAll { result.trust = .untrusted }
        try weaken(&result, path: statement.path + (bound?.path ?? []))
    }

    /// Lowers the trust if an ingredient was changed or is missing, or if one on the way to the claim or to the hard
    /// binding is not trusted.
    private func weaken(_ result: inout SignedClaim, path: [String]) throws(EvidenceError) {
        for (_, above) in known.sorted(by: { $0.key < $1.key }) {
            for ingredient in try check(of: above).ingredients() where ingredient.relationship != .inputTo {
                guard let label = ingredient.manifest?.manifest else { continue }
                if manifests[label]?.kind == ClaimManifest.compressedKind {
                    if result.trust == .trusted { result.trust = .untrusted }
                    continue
                }
                guard let manifest = known[label],
                    try isMeant(manifest, by: ingredient, algorithm: above.hashAlgorithm)
                else {
                    result.trust = .broken
                    return
                }
            }
        }
        for (label, manifest) in known.sorted(by: { $0.key < $1.key }) where label != path.first {
            let trust = try check(of: manifest).check().trust
            if trust == .broken { result.trust = .broken }
            if trust == .untrusted, path.contains(label), result.trust == .trusted { result.trust = .untrusted }
        }
    }

    /// Whether a manifest is that which an ingredient's hash, or the hash of its signature, was made of.
    private func isMeant(
        _ manifest: ClaimManifest, by ingredient: Ingredient, algorithm: String?
    ) throws(EvidenceError) -> Bool {
        let signature = manifest.box.children.first { $0.kind == "c2cs" }
        // The first versions of C2PA hashed only the claim.
        let pairs = [
            (ingredient.manifest, manifest.box.payload), (ingredient.manifest, manifest.claimBytes),
            (ingredient.signature, signature?.payload),
        ]
        for case (let reference?, let bytes?) in pairs {
            let used = reference.algorithm ?? algorithm ?? "sha256"
            if let hash = reference.hash, try Digest.of(bytes, used, effort) == hash { return true }
        }
        return false
    }

    /// Returns the manifest whose hard binding holds for the file: the manifest itself, or the first of its parents
    /// that is no update; nil if there is none.
    private mutating func binding(of manifest: ClaimManifest) throws(EvidenceError) -> (
        manifest: ClaimManifest, path: [String]
    )? {
        var current = manifest
        var path = [manifest.label]
        while current.isUpdate {
            try effort.level(path.count, of: "The ingredients", atMost: effort.limits.depth)
            let parent = try check(of: current).ingredients().first { $0.relationship == .parentOf }
            guard let label = parent?.manifest?.manifest, let box = manifests[label],
                let next = try self.manifest(box)
            else { return nil }
            current = next
            path.append(label)
        }
        return (current, path)
    }
}
