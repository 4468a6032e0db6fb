/// A signature of a claim: `COSE_Sign1` (RFC 9052) without its payload, and the certificates of the signer.
struct ClaimSignature {
    enum Algorithm: Int {
        case es256 = -7
        case es384 = -35
        case es512 = -36
        case ps256 = -37
        case ps384 = -38
        case ps512 = -39
        case edDSA = -8
    }

    /// Nil if it is missing or none of those that C2PA allows.
    let algorithm: Algorithm?
    private let signature: [UInt8]
    private let protected: [UInt8]
    private let unprotected: Value
    /// The signer's certificate, then those that lead to an anchor. Never empty.
    let certificates: [Certificate]

    /// The most certificates, and bytes of each: they bound the time that checking a chain takes.
    private static let mostCertificates = 10
    private static let longestCertificate = 1 << 14
    /// The label of the certificates in a header (RFC 9360).
    private static let chainLabel = 33
    private static let sign1 = 18

    /// Reads a signature; nil if it is damaged, or its certificates are.
    init?(_ bytes: ByteView, _ effort: Effort) throws(EvidenceError) {
        guard case .tagged(Self.sign1, let value)? = try CBOR.value(bytes, effort), let parts = value.array,
            parts.count == 4, let protected = parts[0].bytes, let signature = parts[3].bytes
        else { return nil }
        let header = try protected.withUnsafeBytesThrowing { (bytes) throws(EvidenceError) in
            try CBOR.value(ByteView(buffer: bytes), effort)
        }
        self.protected = protected
        self.signature = signature
        unprotected = parts[1]
        algorithm = header?[1]?.int.flatMap(Algorithm.init(rawValue:))
        let headers = [header, parts[1]]
        let chain = headers.lazy.compactMap { $0?[Self.chainLabel] ?? $0?["x5chain"] }.first
        let encoded = chain?.array?.compactMap(\.bytes) ?? chain?.bytes.map { [$0] } ?? []
        guard !encoded.isEmpty, encoded.count <= Self.mostCertificates,
            encoded.allSatisfy({ $0.count <= Self.longestCertificate })
        else { return nil }
        let certificates = encoded.compactMap { Certificate(der: $0) }
        guard certificates.count == encoded.count else { return nil }
        self.certificates = certificates
    }

    /// Whether an ECDSA signature has the form of DER, which COSE does not allow.
    var isOfWrongForm: Bool {
        switch algorithm {
        case .es256, .es384, .es512:
            signature.count > 8 && signature[0] == 0x30
                && (Int(signature[1]) == signature.count - 2
                    || signature[1] == 0x81 && Int(signature[2]) == signature.count - 3)
        default: false
        }
    }

    /// Returns whether it is the signature of the claim by the first certificate's key.
    func isValid(for claim: ByteView) -> Bool {
        guard let algorithm, let key = certificates.first?.key, key.fits(algorithm),
            let encoded = Self.encoded(signature, algorithm)
        else { return false }
        return key.verifies(encoded, of: structure("Signature1", claim), algorithm)
    }

    /// Returns the time stamp of the signature; nil if it has none.
    ///
    /// The older header `sigTst` stamps the claim, the newer one `sigTst2` the signature.
    func timeStamp(of claim: ByteView, _ anchors: TrustAnchors) -> TimeStamp? {
        func token(_ header: String) -> [UInt8]? {
            guard let tokens = unprotected[header]?["tstTokens"]?.array, tokens.count == 1 else { return nil }
            return tokens[0]["val"]?.bytes
        }
        if let token = token("sigTst2") {
            let stamped = Self.head(signature.count) + signature
            return stamped.withUnsafeBytes { bytes in
                TimeStamp(token, of: structure("CounterSignature", ByteView(buffer: bytes)), anchors)
            }
        }
        return token("sigTst").map { TimeStamp($0, of: structure("CounterSignature", claim), anchors) }
    }

    /// The bytes that are signed: an array of a name, the protected header, no further data, and the payload.
    private func structure(_ name: String, _ payload: ByteView) -> [UInt8] {
        var bytes: [UInt8] = [0x84, 0x60 | UInt8(name.utf8.count)]
        bytes += name.utf8
        bytes += Self.head(protected.count) + protected + [0x40] + Self.head(payload.count)
        bytes += payload.buffer
        return bytes
    }

    /// Returns the head of a string of bytes in CBOR's shortest form.
    private static func head(_ count: Int) -> [UInt8] {
        switch count {
        case ..<24: [0x40 | UInt8(count)]
        case ..<256: [0x58, UInt8(count)]
        case ..<65_536: [0x59, UInt8(count >> 8), UInt8(count & 255)]
        default: [0x5A] + [24, 16, 8, 0].map { UInt8(count >> $0 & 255) }
        }
    }

    /// Returns the signature as libcrypto wants it: an ECDSA signature's two numbers in DER.
    private static func encoded(_ signature: [UInt8], _ algorithm: Algorithm) -> [UInt8]? {
        let size: Int
        switch algorithm {
        case .es256: size = 32
        case .es384: size = 48
        case .es512: size = 66
        default: return signature
        }
        guard signature.count == 2 * size else { return nil }
        let numbers = integer(signature[..<size]) + integer(signature[size...])
        let length: [UInt8] = numbers.count < 128 ? [UInt8(numbers.count)] : [0x81, UInt8(numbers.count)]
        return [0x30] + length + numbers
    }

    private static func integer(_ number: ArraySlice<UInt8>) -> [UInt8] {
        var digits = Array(number.drop { $0 == 0 })
        if digits.first.map({ $0 >= 0x80 }) ?? true { digits.insert(0, at: 0) }
        return [0x02, UInt8(digits.count)] + digits
    }
}
