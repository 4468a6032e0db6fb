/// Checks a manifest's signature, the hashes of its assertions and their rules, as C2PA specification, chapter 15,
/// wants. The codes are those that c2pa-rs gives.
struct ManifestCheck {
    let manifest: ClaimManifest
    /// The assertions that a manifest above removed from it.
    var redacted: Set<Redaction> = []
    let anchors: TrustAnchors
    /// The time at which a certificate must be valid, in seconds since 1970.
    let time: Int
    let effort: Effort

    /// An assertion that a later manifest removed, for example because it names a place.
    struct Redaction: Hashable {
        let manifest, assertion: String
    }

    /// The outcome of the checks of one manifest.
    struct Outcome {
        /// The codes in the order of the checks.
        private(set) var codes: [String] = []
        /// Whether something was changed after signing, or is missing.
        private(set) var isBroken = false
        /// Whether any check failed.
        private(set) var hasFailed = false
        var isSignerTrusted = false
        var signer: String?

        /// The failures that are about the signer or the wording, not about changed bytes.
        private static let harmless: Set<String> = [
            "signingCredential.untrusted", "signingCredential.invalid", "signingCredential.expired",
            "algorithm.unsupported", "assertion.action.malformed", "assertion.action.ingredientMismatch",
            "manifest.compressed.invalid", "manifest.multipleParents", "manifest.update.invalid",
            "manifest.update.wrongParents",
        ]

        mutating func pass(_ code: String) { codes.append(code) }

        mutating func fail(_ code: String) {
            codes.append(code)
            hasFailed = true
            if !Self.harmless.contains(code) { isBroken = true }
        }

        var trust: ProvenanceReport.Trust {
            if isBroken { return .broken }
            return isSignerTrusted && !hasFailed ? .trusted : .untrusted
        }
    }

    /// Checks everything but the hard binding.
    func check() throws(EvidenceError) -> Outcome {
        var outcome = Outcome()
        try checkSignature(&outcome)
        let ingredients = try ingredients()
        let parents = ingredients.filter { $0.relationship == .parentOf }.count
        if manifest.isUpdate, parents != 1 {
            outcome.fail(parents == 0 ? "manifest.update.wrongParents" : "manifest.update.invalid")
        } else if parents > 1 {
            outcome.fail("manifest.multipleParents")
        }
        try checkAssertions(&outcome)
        return outcome
    }

    /// Returns the manifest's ingredients, without those that make no sense.
    func ingredients() throws(EvidenceError) -> [Ingredient] {
        var ingredients: [Ingredient] = []
        for assertion in manifest.assertions(named: "c2pa.ingredient") {
            if let ingredient = Ingredient(assertion, try assertion.value(effort)) { ingredients.append(ingredient) }
        }
        return ingredients
    }

    // MARK: Signature

    private func checkSignature(_ outcome: inout Outcome) throws(EvidenceError) {
        guard let bytes = manifest.signature else {
            outcome.fail("claimSignature.missing")
            return
        }
        guard let signature = try ClaimSignature(bytes, effort), let signer = signature.certificates.first else {
            outcome.fail("claimSignature.mismatch")
            return
        }
        outcome.signer = signer.name.flatMap(ReportText.cut)
        guard signature.algorithm != nil else {
            outcome.fail("algorithm.unsupported")
            outcome.fail("claimSignature.mismatch")
            return
        }
        if signature.isOfWrongForm {
            outcome.fail("signingCredential.invalid")
            outcome.fail("claimSignature.mismatch")
            return
        }
        try effort.checkTime()
        let stamp = signature.timeStamp(of: manifest.claimBytes, anchors)
        for code in stamp?.codes ?? [] { outcome.pass(code) }
        // What a trusted authority stamped was signed then, and not at the present.
        let time = stamp?.time ?? time
        try effort.checkTime()
        // Asking whether a certificate was revoked would take a connection.
        outcome.pass("signingCredential.ocsp.skipped")
        if !signer.isValid(at: time) {
            outcome.fail("signingCredential.expired")
        } else if !signer.fitsProfile {
            outcome.fail("signingCredential.invalid")
        }
        if signer.hasAllowedPurpose, anchors.trust(signature.certificates, at: time) {
            outcome.isSignerTrusted = true
            outcome.pass("signingCredential.trusted")
        } else {
            outcome.fail("signingCredential.untrusted")
        }
        try effort.checkTime()
        if signature.isValid(for: manifest.claimBytes) {
            outcome.pass("claimSignature.insideValidity")
            outcome.pass("claimSignature.validated")
        } else {
            outcome.fail("claimSignature.mismatch")
        }
        try effort.checkTime()
    }

    // MARK: Assertions

    private func checkAssertions(_ outcome: inout Outcome) throws(EvidenceError) {
        var undeclared = Set(manifest.assertions.map(\.box.label))
        for reference in manifest.references {
            try effort.item()
            undeclared.remove(reference.label)
            guard reference.manifest == nil || reference.manifest == manifest.label else {
                outcome.fail("assertion.outsideManifest")
                continue
            }
            if redacted.contains(Redaction(manifest: manifest.label, assertion: reference.label)) { continue }
            guard let assertion = manifest.assertions.first(where: { $0.box.label == reference.label }) else {
                outcome.fail("assertion.missing")
                continue
            }
            let algorithm = reference.algorithm ?? manifest.hashAlgorithm ?? "sha256"
            let digest = try Digest.of(assertion.box.payload, algorithm, effort)
            if digest != nil, digest == reference.hash {
                outcome.pass("assertion.hashedURI.match")
            } else {
                outcome.fail("assertion.hashedURI.mismatch")
            }
        }
        if !undeclared.isEmpty { outcome.fail("assertion.undeclared") }
    }
}

/// Checks the rules for actions in a claim of version 2 (C2PA specification, 15.10.3.2).
struct ActionCheck {
    let manifest: ClaimManifest
    let ingredients: [Ingredient]
    let effort: Effort

    func check(_ outcome: inout ManifestCheck.Outcome) throws(EvidenceError) {
        let assertions = manifest.assertions(named: "c2pa.actions")
        guard manifest.version >= 2 else {
            if assertions.count > 1 { outcome.fail("assertion.action.malformed") }
            return
        }
        var lists: [[Value]] = []
        for assertion in assertions { lists.append(try assertion.value(effort)?["actions"]?.array ?? []) }
        if lists.contains(where: \.isEmpty) {
            outcome.fail("assertion.action.malformed")
            return
        }
        let begins = lists.map { Self.isBeginning($0[0]) }
        if !begins.contains(true), !manifest.isUpdate { outcome.fail("assertion.action.malformed") }
        for (index, list) in lists.enumerated() {
            for action in list {
                try effort.item()
                if index > 0, Self.isBeginning(action) { outcome.fail("assertion.action.malformed") }
                check(action, &outcome)
            }
        }
    }

    private static func isBeginning(_ action: Value) -> Bool {
        ["c2pa.created", "c2pa.opened"].contains(action["action"]?.text ?? "")
    }

    private func check(_ action: Value, _ outcome: inout ManifestCheck.Outcome) {
        let name = action["action"]?.text ?? ""
        if name.isEmpty || name == "c2pa.created" && action["digitalSourceType"] == nil {
            outcome.fail("assertion.action.malformed")
        }
        let wanted: Ingredient.Relationship = ["c2pa.placed", "c2pa.removed"].contains(name) ? .componentOf : .parentOf
        let parameters = action["parameters"]
        let single = parameters?["ingredient"].flatMap { Reference($0) }
        let list = parameters?["ingredients"]?.array
        let isNamed = parameters?["ingredient"] != nil || list != nil
        let references = single.map { [$0] } ?? (list ?? []).compactMap { Reference($0) }
        switch name {
        case "c2pa.opened", "c2pa.placed", "c2pa.removed": break
        case "c2pa.transcoded", "c2pa.repackaged": if !isNamed { return }
        default: return
        }
        let isFound = references.contains { reference in
            ingredients.contains { $0.label == reference.label && $0.relationship == wanted }
        }
        if !isFound { outcome.fail("assertion.action.ingredientMismatch") }
    }
}
