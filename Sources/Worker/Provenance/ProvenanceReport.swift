/// What a file says about its own origin, and how far that can be relied on.
///
/// Most pictures say nothing, so ``Claim/none`` is no evidence of anything: metadata is lost with the first screenshot.
package struct ProvenanceReport: Hashable, Sendable, Encodable {
    /// What the file says about how it was made.
    package enum Claim: String, Sendable, Encodable {
        /// The whole picture is the output of a trained model.
        case aiGenerated = "ai_generated"
        /// A part of the picture is, or a model edited it.
        case aiEdited = "ai_edited"
        /// A camera or a scanner of film recorded it.
        case captured
        /// The file says neither.
        case none
    }

    /// How far the claim can be relied on.
    package enum Trust: String, Sendable, Encodable {
        /// A valid signature covers the claim and the picture's bytes, and its certificate leads to one of the
        /// operator's trust anchors.
        case trusted
        /// A manifest is whole, but its signer is unknown, its certificate has expired, or something could not be
        /// checked.
        case untrusted
        /// The manifest or the picture was changed after signing, or the manifest cannot be read.
        case broken
        /// Nothing is signed: anyone can write or remove such a marker. Also if the file says nothing at all.
        case unsigned
    }

    /// Where in the file the claim was found.
    package enum Source: String, Sendable, Encodable {
        case c2pa, xmp, iptc, exif, tc260
        case pngText = "png_text"
    }

    package var claim = Claim.none
    package var trust = Trust.unsigned
    /// Nil if the file has neither a manifest nor a known marker.
    package var source: Source?
    /// The program that made the picture, by its own account: at most 128 bytes of UTF-8, without control characters.
    package var generator: String?
    /// The signer's organisation (or common name) by the certificate: at most 128 bytes of UTF-8. It says who signed
    /// only if `trust` is ``Trust/trusted``, because anyone can issue a certificate with any name.
    package var signer: String?
    /// The outcome of each check of the active manifest, without repetitions, in the order of the checks: the status
    /// codes of the C2PA specification, chapter 15.2, as c2pa-rs names them.
    package var validation: [String] = []
    /// The SHA-256 of the active manifest's box, in 64 hexadecimal digits.
    package var digest: String?

    package init() {}

    private enum CodingKeys: String, CodingKey {
        case claim, trust, source, generator, signer, validation, digest, synthid
    }

    /// Writes the fields that are known, and `"synthid": "not_checked"`: only its vendor can detect that watermark.
    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(claim, forKey: .claim)
        try fields.encode(trust, forKey: .trust)
        try fields.encodeIfPresent(source, forKey: .source)
        try fields.encodeIfPresent(generator, forKey: .generator)
        try fields.encodeIfPresent(signer, forKey: .signer)
        try fields.encode(validation, forKey: .validation)
        try fields.encodeIfPresent(digest, forKey: .digest)
        try fields.encode("not_checked", forKey: .synthid)
    }
}

/// The error for a file whose evidence passes a limit. It says nothing about the picture.
package struct EvidenceError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The HTTP status.
    package var status: Int { 422 }
    /// A code for programs.
    package var code: String { "evidence_too_complex" }
    /// One sentence for people.
    package let message: String

    package var description: String { "\(status) \(code): \(message)" }
}

/// The limits for reading one file's evidence. Exceeding any of them is an ``EvidenceError``.
package struct ProvenanceLimits: Hashable, Sendable {
    /// The most pieces of a file that hold metadata: JPEG segments (APP1, APP11 and APP13), PNG chunks of text, EXIF or
    /// a manifest store, WebP chunks of the same kinds, boxes and items of AVIF and HEIC. Default: 256.
    package var chunks: Int
    /// The most bytes of a manifest store, and of an XMP packet that is split over several segments. Default:
    /// 16,000,000.
    package var store: Int
    /// The most levels of nested boxes, and of ingredients of ingredients. Default: 16.
    package var depth: Int
    /// The most bytes of a compressed chunk of text after uncompressing it. Default: 1 MiB.
    package var inflated: Int
    /// The most boxes, CBOR and JSON values, XML tags and attributes, and directory entries, all together. It bounds
    /// the memory. Default: 50,000.
    package var items: Int
    /// The most processor time of the calling thread. Default: 50 ms.
    package var time: Duration

    package init(
        chunks: Int = 256, store: Int = 16_000_000, depth: Int = 16, inflated: Int = 1 << 20, items: Int = 50_000,
        time: Duration = .milliseconds(50)
    ) {
        self.chunks = chunks
        self.store = store
        self.depth = depth
        self.inflated = inflated
        self.items = items
        self.time = time
    }
}
