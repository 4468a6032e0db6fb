/// A kind of evidence: what an evidence worker finds out about an image besides the networks' scores.
public enum EvidenceKind: String, Codable, CaseIterable, Sendable {
    /// What the file says about its own origin: signed manifests and metadata.
    case provenance
    /// Whether the image is in one of the operator's banks of known images.
    case known
}

/// The evidence that a worker found about one image.
public enum EvidenceReport: Hashable, Sendable {
    /// What the file says about its own origin.
    case provenance(ProvenanceEvidence)
    /// The known images that the image equals or resembles.
    case known(KnownEvidence)

    /// The kind of evidence.
    public var kind: EvidenceKind {
        switch self {
        case .provenance: .provenance
        case .known: .known
        }
    }
}

/// What a file says about its own origin, and how far that can be relied on.
///
/// A file without such a statement is not evidence of anything: metadata is lost with the first screenshot.
public struct ProvenanceEvidence: Hashable, Sendable {
    /// What the file says about how its image was made.
    public enum Claim: String, CaseIterable, Codable, Sendable {
        /// The whole image is the output of a trained model.
        case aiGenerated = "ai_generated"
        /// A part of the image is, or a model edited it.
        case aiEdited = "ai_edited"
        /// A camera or a scanner recorded it.
        case captured
        /// The file says neither.
        case none
    }

    /// How far the claim can be relied on.
    public enum Trust: String, CaseIterable, Codable, Sendable {
        /// A valid signature covers claim and image, and its certificate leads to one of the operator's trust anchors.
        case trusted
        /// A manifest is whole, but nothing shows who signed it.
        case untrusted
        /// The manifest or the image was changed after signing.
        case broken
        /// Nothing is signed: anyone can add or remove such a statement.
        case unsigned
    }

    /// The part of the file that has the claim.
    public enum Source: String, CaseIterable, Codable, Sendable {
        /// A C2PA manifest.
        case c2pa
        /// An XMP packet.
        case xmp
        /// An IPTC-IIM record.
        case iptc
        /// EXIF data.
        case exif
        /// A text chunk of a PNG file.
        case pngText = "png_text"
        /// The label for AI-generated content of the Chinese standards committee TC260.
        case tc260
    }

    /// What the file says about how its image was made.
    public let claim: Claim
    /// How far the claim can be relied on.
    public let trust: Trust
    /// The part of the file that has the claim; nil if the file has no known statement.
    public let source: Source?
    /// The program that made the image, by its own account: 1 to ``Limits/evidenceTextBytes`` bytes, without control
    /// characters.
    public let generator: String?
    /// The name in the signer's certificate, in the form of ``generator``. Anyone can issue a certificate with any
    /// name, so it says who signed only with ``Trust/trusted``.
    public let signer: String?
    /// The outcome of each check of the manifest, in order: at most ``Limits/validationCodes`` of C2PA's status codes,
    /// such as `claimSignature.validated`.
    public let validation: [String]
    /// The 32 bytes of the manifest's SHA-256; nil without a manifest.
    public let digest: [UInt8]?

    /// Creates evidence whose texts are within the limits.
    ///
    /// - Parameters:
    ///   - claim: What the file says about how its image was made.
    ///   - trust: How far the claim can be relied on.
    ///   - source: The part of the file that has the claim.
    ///   - generator: The program that made the image. Characters that could disturb a display are removed, and the
    ///     rest is cut to the limit.
    ///   - signer: The name in the signer's certificate, which is treated in the same way.
    ///   - validation: The outcome of each check. Texts that have no form of a code are left out, and so are codes
    ///     beyond the limit.
    ///   - digest: The manifest's SHA-256. It is left out unless it has 32 bytes.
    public init(
        claim: Claim, trust: Trust, source: Source? = nil, generator: String? = nil, signer: String? = nil,
        validation: [String] = [], digest: [UInt8]? = nil
    ) {
        self.claim = claim
        self.trust = trust
        self.source = source
        self.generator = generator.flatMap(EvidenceText.cleaned)
        self.signer = signer.flatMap(EvidenceText.cleaned)
        self.validation = Array(validation.lazy.filter(EvidenceText.isCode).prefix(Limits.validationCodes))
        self.digest = digest?.count == BinaryReader.digestBytes ? digest : nil
    }
}

/// The known images that an image equals or resembles.
public struct KnownEvidence: Hashable, Sendable {
    /// Whether the text has the form of a bank's name: 1 to ``Limits/nameBytes`` capital letters, digits and `_`.
    package static func isBankName(_ text: String) -> Bool {
        EvidenceText.isBank(text)
    }

    /// What the operator does with the images of a bank.
    public enum BankKind: String, CaseIterable, Codable, Sendable {
        /// Images that must not pass.
        case block
        /// Images that a person should look at.
        case review
        /// Images that may pass.
        case allow
    }

    /// One known image.
    public struct Match: Hashable, Sendable {
        /// The name of the bank: 1 to ``Limits/nameBytes`` capital letters, digits and `_`.
        public let bank: String
        /// What the operator does with the images of the bank.
        public let bankKind: BankKind
        /// The number of differing bits of the two perceptual hashes, 0 to 256; 0 for equal files.
        public let distance: Int
        /// The number of the known image in its bank; at least 0.
        public let item: Int
        /// Whether the files are equal, by their SHA-256.
        public let sha256: Bool

        /// Creates a match; nil if the bank's name or a number is out of its range.
        public init?(bank: String, bankKind: BankKind, distance: Int, item: Int, sha256: Bool) {
            guard EvidenceText.isBank(bank), Limits.hashDistances.contains(distance), item >= 0 else { return nil }
            self.bank = bank
            self.bankKind = bankKind
            self.distance = distance
            self.item = item
            self.sha256 = sha256
        }
    }

    /// The quality of the image's perceptual hash, 0 to 100; nil without such a hash. With less than 50 no image
    /// matches by it.
    public let quality: Int?
    /// The matches, the strongest first: at most ``Limits/knownMatches``.
    public let matches: [Match]

    /// Creates evidence. Matches beyond the limit are left out, and so is a quality that is out of its range.
    ///
    /// - Parameters:
    ///   - quality: The quality of the image's perceptual hash, 0 to 100; nil without such a hash.
    ///   - matches: The matches, the strongest first.
    public init(quality: Int?, matches: [Match]) {
        self.quality = quality.flatMap { Limits.hashQualities.contains($0) ? $0 : nil }
        self.matches = Array(matches.prefix(Limits.knownMatches))
    }
}

/// The forms of the texts in evidence. They come out of untrusted files, and people read them.
enum EvidenceText {
    /// Returns the text without characters that could disturb a display, cut between characters to the limit; nil if
    /// nothing is left.
    static func cleaned(_ text: String) -> String? {
        var kept = ""
        var bytes = 0
        for scalar in text.unicodeScalars where isHarmless(scalar) {
            bytes += UTF8.width(scalar)
            guard bytes <= Limits.evidenceTextBytes else { break }
            kept.unicodeScalars.append(scalar)
        }
        return kept.isEmpty ? nil : kept
    }

    /// Whether `cleaned` would return the text unchanged.
    static func isClean(_ text: String) -> Bool {
        (1...Limits.evidenceTextBytes).contains(text.utf8.count) && text.unicodeScalars.allSatisfy(isHarmless)
    }

    /// Whether the text has the form of a status code: 1 to 64 letters, digits, `.`, `-` and `_`.
    static func isCode(_ text: String) -> Bool {
        (1...Limits.nameBytes).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
                case UInt8(ascii: "a")...UInt8(ascii: "z"): true
                default: isUpper(byte) || isDigit(byte)
                }
            }
    }

    /// Whether the text has the form of a bank's name: 1 to 64 capital letters, digits and `_`.
    static func isBank(_ text: String) -> Bool {
        (1...Limits.nameBytes).contains(text.utf8.count)
            && text.utf8.allSatisfy { isUpper($0) || isDigit($0) || $0 == UInt8(ascii: "_") }
    }

    private static func isUpper(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// Whether the character is no control character, line separator or control of the direction of text.
    private static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: false
        default: true
        }
    }
}
