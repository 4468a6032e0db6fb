import CCrypto

/// A certificate (X.509 version 3, RFC 5280) that came with a signature.
final class Certificate {
    let pointer: OpaquePointer

    /// Reads a certificate; nil if the bytes are none.
    init?(der: [UInt8]) {
        var start = UnsafePointer<UInt8>?.none
        let pointer = der.withUnsafeBufferPointer { bytes in
            start = bytes.baseAddress
            return d2i_X509(nil, &start, bytes.count)
        }
        guard let pointer else {
            ERR_clear_error()
            return nil
        }
        self.pointer = pointer
    }

    /// Takes over a certificate of libcrypto's.
    init(owning pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit { X509_free(pointer) }

    private(set) lazy var key = PublicKey(pointer)

    /// The subject's organisation, or its common name.
    var name: String? { subject(NID_organizationName) ?? subject(NID_commonName) }

    private func subject(_ field: Int32) -> String? {
        guard let name = X509_get_subject_name(pointer) else { return nil }
        // Of several organisations the last counts.
        var index: Int32 = -1
        var found: Int32 = -1
        while true {
            index = X509_NAME_get_index_by_NID(name, field, index)
            guard index >= 0 else { break }
            found = index
        }
        guard found >= 0, let entry = X509_NAME_get_entry(name, found) else { return nil }
        var text: UnsafeMutablePointer<UInt8>?
        let count = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry))
        defer { if let text { bifrons_free(text) } }
        guard count > 0, let text else {
            ERR_clear_error()
            return nil
        }
        return String(decoding: UnsafeBufferPointer(start: text, count: Int(count)), as: UTF8.self)
    }

    /// Whether the certificate is valid at a time, in seconds since 1970.
    func isValid(at seconds: Int) -> Bool {
        var time = seconds
        return X509_cmp_time(X509_get0_notBefore(pointer), &time) < 0
            && X509_cmp_time(X509_get0_notAfter(pointer), &time) > 0
    }

    /// Whether it may sign claims: C2PA specification, 14.5.1, as far as c2pa-rs checks it. The period of validity is
    /// not part of it.
    var fitsProfile: Bool {
        let flags = X509_get_extension_flags(pointer)
        let isAuthority = flags & UInt32(EXFLAG_CA) != 0
        guard X509_get_version(pointer) == 2, flags & UInt32(EXFLAG_INVALID | EXFLAG_CRITICAL) == 0, !isAuthority,
            Self.signatureAlgorithms.contains(X509_get_signature_nid(pointer)), hasStrongKey,
            X509_get0_authority_key_id(pointer) != nil
        else { return false }
        return hasUsage && hasExtendedUsage
    }

    private static let signatureAlgorithms: Set<Int32> = [
        NID_sha256WithRSAEncryption, NID_sha384WithRSAEncryption, NID_sha512WithRSAEncryption, NID_ecdsa_with_SHA256,
        NID_ecdsa_with_SHA384, NID_ecdsa_with_SHA512, NID_rsassaPss, NID_ED25519,
    ]

    private var hasStrongKey: Bool {
        guard let key else { return false }
        if key.isRSA { return key.bits >= 2048 }
        if let curve = key.curve { return ["prime256v1", "secp384r1", "secp521r1"].contains(curve) }
        return true
    }

    private var hasUsage: Bool {
        let usage = X509_get_key_usage(pointer)
        guard usage != UInt32.max else { return false }
        // An end entity's key must not sign certificates too.
        return usage & UInt32(KU_DIGITAL_SIGNATURE) != 0
            ? usage & UInt32(KU_KEY_CERT_SIGN) == 0
            : usage & UInt32(KU_NON_REPUDIATION | KU_KEY_CERT_SIGN) != 0
    }

    /// The purposes by which a certificate may sign claims: e-mail protection, document signing, time stamps, OCSP, and
    /// two of C2PA's.
    private static let allowedPurposes: Set<String> = [
        "1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9",
        "1.3.6.1.4.1.311.76.59.1.9", "1.3.6.1.4.1.62558.2.1",
    ]
    private static let anyPurpose = "2.5.29.37.0"
    private static let timeStamps = "1.3.6.1.5.5.7.3.8"
    private static let ocsp = "1.3.6.1.5.5.7.3.9"

    /// Whether one of its purposes is to sign claims. Without it, c2pa-rs does not trust a certificate at all.
    var hasAllowedPurpose: Bool { !Self.allowedPurposes.isDisjoint(with: extendedUsage) }

    private var hasExtendedUsage: Bool {
        let purposes = Set(extendedUsage)
        guard !purposes.contains(Self.anyPurpose), !purposes.isDisjoint(with: Self.allowedPurposes) else {
            return false
        }
        // Time stamps and OCSP exclude all else.
        return purposes.isDisjoint(with: [Self.timeStamps, Self.ocsp]) || purposes.count == 1
    }

    private var extendedUsage: [String] {
        guard let found = X509_get_ext_d2i(pointer, NID_ext_key_usage, nil, nil) else {
            ERR_clear_error()
            return []
        }
        let list = OpaquePointer(found)
        defer { EXTENDED_KEY_USAGE_free(list) }
        return (0..<min(OPENSSL_sk_num(list), 32)).compactMap { index in
            guard let purpose = OPENSSL_sk_value(list, index) else { return nil }
            var text = [CChar](repeating: 0, count: 128)
            let count = OBJ_obj2txt(&text, Int32(text.count), OpaquePointer(purpose), 1)
            return String(
                decoding: text.prefix(min(max(Int(count), 0), text.count - 1)).map { UInt8(bitPattern: $0) },
                as: UTF8.self)
        }
    }
}
