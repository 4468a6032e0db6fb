internal import Hexadecimal

extension EvidenceReport {
    /// Returns the report as JSON text of at most ``Limits/evidenceReportBytes`` bytes.
    func encoded() -> String {
        var json = JSONWriter()
        json.object { json in
            json.member("kind", kind.rawValue)
            write(&json)
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }

    /// Writes the report's members, without its kind, into the open object.
    func write(_ json: inout JSONWriter) {
        switch self {
        case .provenance(let evidence): evidence.write(&json)
        case .known(let evidence): evidence.write(&json)
        }
    }

    /// Decodes a report from JSON text. Total: any text gives a report or an error.
    ///
    /// - Throws: ``MalformedMessage`` if the text is not a report, or has an unknown member or value.
    static func decode(_ text: String) throws(MalformedMessage) -> EvidenceReport {
        var text = text
        let read = text.withUTF8 { bytes in
            Result { () throws(JSONReader.SyntaxError) in
                var reader = JSONReader(UnsafeRawBufferPointer(bytes))
                return try EvidenceFields(&reader)
            }
        }
        switch read {
        case .success(let fields):
            if let wrong = fields.wrong { throw MalformedMessage(reason: "a report with \(wrong)") }
            return try fields.report()
        case .failure(let error):
            throw MalformedMessage(reason: "a report that is not JSON at byte \(error.offset), for \(error.expected)")
        }
    }
}

extension ProvenanceEvidence {
    /// The only value of `synthid`: a watermark that nobody but its vendor can detect.
    static let notChecked = "not_checked"

    fileprivate func write(_ json: inout JSONWriter) {
        json.member("claim", claim.rawValue)
        json.member("trust", trust.rawValue)
        json.member("source", source?.rawValue)
        json.member("generator", generator)
        json.member("signer", signer)
        json.member("validation", validation) { json, code in json.string(code) }
        if let digest {
            json.key("digest")
            json.hexadecimal(digest)
        }
        json.member("synthid", Self.notChecked)
    }
}

extension KnownEvidence {
    fileprivate func write(_ json: inout JSONWriter) {
        json.member("quality", quality)
        json.member("matches", matches) { json, match in
            json.object { json in
                json.member("bank", match.bank)
                json.member("bank_kind", match.bankKind.rawValue)
                json.member("distance", match.distance)
                json.member("item", match.item)
                json.member("sha256", match.sha256)
            }
        }
    }
}

/// The members of a report, not validated yet.
struct EvidenceFields: Decodable {
    /// The members of a match.
    struct Match: Decodable {
        var bank: String?
        var bankKind: String?
        var distance: Int?
        var item: Int?
        var sha256: Bool?

        private enum CodingKeys: String, CodingKey {
            case bank, distance, item, sha256
            case bankKind = "bank_kind"
        }
    }

    private enum CodingKeys: String, CodingKey {
        case kind, claim, trust, source, generator, signer, validation, digest, synthid, quality, matches
    }

    var kind: String?
    var claim: String?
    var trust: String?
    var source: String?
    var generator: String?
    var signer: String?
    var validation: [String]?
    var digest: String?
    var synthid: String?
    var quality: Int?
    var matches: [Match]?
    /// What is wrong with the first member that is unknown or has a wrong type; nil if there is none. Decoding by a
    /// `Decoder` ignores unknown members, and throws an error for wrong types.
    private(set) var wrong: String?
}

// MARK: Reading

extension EvidenceFields {
    /// Reads the only value of a JSON text.
    fileprivate init(_ json: inout JSONReader) throws(JSONReader.SyntaxError) {
        var isFirst = true
        try json.open(.object)
        while let name = try json.nextMember(isFirst: isFirst) {
            isFirst = false
            switch name {
            case "kind": kind = try string(name, &json)
            case "claim": claim = try string(name, &json)
            case "trust": trust = try string(name, &json)
            case "source": source = try string(name, &json)
            case "generator": generator = try string(name, &json)
            case "signer": signer = try string(name, &json)
            case "digest": digest = try string(name, &json)
            case "synthid": synthid = try string(name, &json)
            case "quality": quality = try integer(name, &json)
            case "validation":
                var codes: [String] = []
                try elements(name, &json) { fields, json throws(JSONReader.SyntaxError) in
                    if let code = try fields.string(name, &json) { codes.append(code) }
                }
                validation = codes
            case "matches":
                var read: [Match] = []
                try elements(name, &json) { fields, json throws(JSONReader.SyntaxError) in
                    read.append(try fields.match(&json))
                }
                matches = read
            default: try refuse(name, &json)
            }
        }
        try json.end()
    }

    private mutating func match(_ json: inout JSONReader) throws(JSONReader.SyntaxError) -> Match {
        var match = Match()
        var isFirst = true
        try json.open(.object)
        while let name = try json.nextMember(isFirst: isFirst) {
            isFirst = false
            switch name {
            case "bank": match.bank = try string(name, &json)
            case "bank_kind": match.bankKind = try string(name, &json)
            case "distance": match.distance = try integer(name, &json)
            case "item": match.item = try integer(name, &json)
            case "sha256":
                if try json.peek() == .boolean { match.sha256 = try json.boolean() } else { try refuse(name, &json) }
            default: try refuse(name, &json)
            }
        }
        return match
    }

    private mutating func elements(
        _ name: String, _ json: inout JSONReader,
        _ read: (inout Self, inout JSONReader) throws(JSONReader.SyntaxError) -> Void
    ) throws(JSONReader.SyntaxError) {
        guard try json.peek() == .array else { return try refuse(name, &json) }
        var isFirst = true
        try json.open(.array)
        while try json.nextElement(isFirst: isFirst) {
            isFirst = false
            try read(&self, &json)
        }
    }

    private mutating func string(
        _ name: String, _ json: inout JSONReader
    ) throws(JSONReader.SyntaxError) -> String? {
        if try json.peek() == .string { return try json.string() }
        try refuse(name, &json)
        return nil
    }

    private mutating func integer(_ name: String, _ json: inout JSONReader) throws(JSONReader.SyntaxError) -> Int? {
        guard try json.peek() == .number else {
            try refuse(name, &json)
            return nil
        }
        // The reader has skipped a number that is no integer.
        let value = try json.integer()
        if value == nil { wrong = wrong ?? "a wrong or unknown '\(name)'" }
        return value
    }

    /// Skips a value that makes the report malformed.
    private mutating func refuse(_ name: String, _ json: inout JSONReader) throws(JSONReader.SyntaxError) {
        _ = try json.skipValue()
        wrong = wrong ?? "a wrong or unknown '\(name)'"
    }
}

// MARK: Validating

extension EvidenceFields {
    /// Returns the report that the members make.
    ///
    /// - Throws: ``MalformedMessage`` if a member is missing, has an unknown value or is out of range.
    func report() throws(MalformedMessage) -> EvidenceReport {
        switch kind.flatMap(EvidenceKind.init) {
        case .provenance?:
            guard quality == nil, matches == nil else { throw MalformedMessage(reason: "a report of two kinds") }
            return .provenance(try provenance())
        case .known?:
            guard claim == nil, trust == nil, source == nil, generator == nil, signer == nil, validation == nil,
                digest == nil, synthid == nil
            else { throw MalformedMessage(reason: "a report of two kinds") }
            return .known(try known())
        case nil: throw MalformedMessage(reason: "a report of an unknown kind")
        }
    }

    private func provenance() throws(MalformedMessage) -> ProvenanceEvidence {
        guard let claim = claim.flatMap(ProvenanceEvidence.Claim.init) else { throw Self.without("claim") }
        guard let trust = trust.flatMap(ProvenanceEvidence.Trust.init) else { throw Self.without("trust") }
        let source = source.flatMap(ProvenanceEvidence.Source.init)
        guard (source == nil) == (self.source == nil) else { throw Self.without("source") }
        guard generator.map(EvidenceText.isClean) ?? true else { throw Self.without("generator") }
        guard signer.map(EvidenceText.isClean) ?? true else { throw Self.without("signer") }
        guard let validation, validation.count <= Limits.validationCodes, validation.allSatisfy(EvidenceText.isCode)
        else { throw Self.without("validation") }
        let digest = digest.flatMap { [UInt8](hexadecimal: $0) }
        guard (digest?.count == BinaryReader.digestBytes) == (self.digest != nil) else { throw Self.without("digest") }
        guard synthid == ProvenanceEvidence.notChecked else { throw Self.without("synthid") }
        return ProvenanceEvidence(
            claim: claim, trust: trust, source: source, generator: generator, signer: signer, validation: validation,
            digest: digest)
    }

    private func known() throws(MalformedMessage) -> KnownEvidence {
        guard quality.map(Limits.hashQualities.contains) ?? true else { throw Self.without("quality") }
        guard let matches, matches.count <= Limits.knownMatches else { throw Self.without("matches") }
        var valid: [KnownEvidence.Match] = []
        for match in matches {
            guard let bank = match.bank, let kind = match.bankKind.flatMap(KnownEvidence.BankKind.init),
                let distance = match.distance, let item = match.item, let sha256 = match.sha256,
                let match = KnownEvidence.Match(
                    bank: bank, bankKind: kind, distance: distance, item: item, sha256: sha256)
            else { throw Self.without("matches") }
            valid.append(match)
        }
        return KnownEvidence(quality: quality, matches: valid)
    }

    private static func without(_ name: String) -> MalformedMessage {
        MalformedMessage(reason: "a report without a right '\(name)'")
    }
}
