import CCrypto

/// A public key of libcrypto's.
final class PublicKey {
    private let key: OpaquePointer

    /// The most bits of an RSA key that is used, which bounds the time of a check.
    private static let longestRSA = 8192

    init?(_ certificate: OpaquePointer) {
        guard let key = X509_get_pubkey(certificate) else {
            ERR_clear_error()
            return nil
        }
        self.key = key
    }

    deinit { EVP_PKEY_free(key) }

    private var kind: Int32 { EVP_PKEY_get_base_id(key) }
    var isRSA: Bool { kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS }
    var isEdwards: Bool { kind == EVP_PKEY_ED25519 }
    var bits: Int { Int(EVP_PKEY_get_bits(key)) }
    /// Whether a check with it takes a few milliseconds at most.
    var isBounded: Bool { !isRSA || bits <= Self.longestRSA }

    /// The name of an elliptic curve; nil if the key has none.
    var curve: String? {
        guard kind == EVP_PKEY_EC else { return nil }
        var name = [CChar](repeating: 0, count: 64)
        var count = 0
        guard EVP_PKEY_get_group_name(key, &name, name.count, &count) == 1 else {
            ERR_clear_error()
            return nil
        }
        return String(decoding: name.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func fits(_ algorithm: ClaimSignature.Algorithm) -> Bool {
        switch algorithm {
        case .es256, .es384, .es512: curve != nil
        case .ps256, .ps384, .ps512: isRSA && isBounded
        case .edDSA: isEdwards
        }
    }

    func verifies(_ signature: [UInt8], of bytes: [UInt8], _ algorithm: ClaimSignature.Algorithm) -> Bool {
        guard let context = EVP_MD_CTX_new() else { return false }
        defer {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        let digest: OpaquePointer? =
            switch algorithm {
            case .es256, .ps256: EVP_sha256()
            case .es384, .ps384: EVP_sha384()
            case .es512, .ps512: EVP_sha512()
            case .edDSA: nil
            }
        var options: OpaquePointer?
        guard EVP_DigestVerifyInit(context, &options, digest, nil, key) == 1 else { return false }
        if isRSA {
            guard EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1,
                EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1
            else { return false }
        }
        return EVP_DigestVerify(context, signature, signature.count, bytes, bytes.count) == 1
    }
}
