import CCrypto

/// A digest that is computed piece by piece, so that the time limit holds for large files.
final class Digest {
    private let context: OpaquePointer

    /// The bytes that are hashed between two looks at the clock: less than a millisecond.
    private static let piece = 1 << 18

    /// Begins a digest; nil if the algorithm is none of `sha256`, `sha384` and `sha512`.
    init?(_ algorithm: String) {
        let kind: OpaquePointer? =
            switch algorithm {
            case "sha256": EVP_sha256()
            case "sha384": EVP_sha384()
            case "sha512": EVP_sha512()
            default: nil
            }
        guard let kind, let context = EVP_MD_CTX_new() else { return nil }
        guard EVP_DigestInit_ex(context, kind, nil) == 1 else {
            EVP_MD_CTX_free(context)
            return nil
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    func add(_ bytes: ByteView, _ effort: Effort) throws(EvidenceError) {
        var offset = 0
        while offset < bytes.count {
            let piece = bytes.dropping(offset).prefix(Self.piece)
            EVP_DigestUpdate(context, piece.buffer.baseAddress, piece.count)
            offset += piece.count
            try effort.checkTime()
        }
    }

    func add(_ bytes: [UInt8]) {
        EVP_DigestUpdate(context, bytes, bytes.count)
    }

    func finished() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { digest, count in
            var size: UInt32 = 0
            EVP_DigestFinal_ex(context, digest.baseAddress, &size)
            count = Int(size)
        }
    }

    /// Returns the digest of bytes; nil for an unknown algorithm.
    static func of(_ bytes: ByteView, _ algorithm: String, _ effort: Effort) throws(EvidenceError) -> [UInt8]? {
        guard let digest = Digest(algorithm) else { return nil }
        try digest.add(bytes, effort)
        return digest.finished()
    }
}
