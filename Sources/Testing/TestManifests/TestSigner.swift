internal import CCrypto
internal import FoundationEssentials

/// A key and a certificate that the tests make with libcrypto.
package final class TestSigner: @unchecked Sendable {
    // Nothing changes after `init`; libcrypto's objects may be read by several threads.
    package enum Kind: CaseIterable { case p256, p384, p521, rsa, ed25519 }

    package let kind: Kind
    package let key: OpaquePointer
    package let certificate: OpaquePointer
    /// The certificates that go into a signature, the signer's first.
    package let chain: [[UInt8]]

    /// Extensions that a certificate gets, by libcrypto's names and notation.
    package static let signerExtensions: [(Int32, String)] = [
        (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature"),
        (NID_ext_key_usage, "emailProtection"), (NID_authority_key_identifier, "keyid:always"),
    ]
    package static let authorityExtensions: [(Int32, String)] = [
        (NID_basic_constraints, "critical,CA:TRUE"), (NID_key_usage, "critical,keyCertSign,cRLSign"),
        (NID_subject_key_identifier, "hash"),
    ]

    /// Makes a certificate.
    ///
    /// - Parameters:
    ///   - issuer: Who signs it; nil if it signs itself.
    ///   - issuerName: An organisation that it names as its issuer, in the place of the true one.
    ///   - validity: When it is valid, in seconds since 1970.
    package init(
        _ kind: Kind = .p256, organisation: String, issuer: TestSigner? = nil, issuerName: String? = nil,
        validity: Range<Int> = present - 1000..<present + 1000, extensions: [(Int32, String)] = signerExtensions
    ) throws {
        self.kind = kind
        key = try Self.makeKey(kind)
        let certificate = try made(X509_new())
        self.certificate = certificate
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int.random(in: 1..<1_000_000_000))
        ASN1_TIME_set(X509_getm_notBefore(certificate), validity.lowerBound)
        ASN1_TIME_set(X509_getm_notAfter(certificate), validity.upperBound)
        X509_set_pubkey(certificate, key)
        let name = try Self.name(organisation)
        X509_set_subject_name(certificate, name)
        let issuing = try issuerName.map(Self.name)
        let issuerCertificate = issuer?.certificate ?? certificate
        X509_set_issuer_name(certificate, issuing ?? X509_get_subject_name(issuerCertificate))
        X509_NAME_free(name)
        if let issuing { X509_NAME_free(issuing) }
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuerCertificate, certificate, nil, nil, 0)
        for (field, value) in extensions {
            guard let made = X509V3_EXT_conf_nid(nil, &context, field, value) else { continue }
            X509_add_ext(certificate, made, -1)
            X509_EXTENSION_free(made)
        }
        let signer = issuer ?? nil
        let signingKey = signer?.key ?? key
        let digest = (signer?.kind ?? kind) == .ed25519 ? nil : EVP_sha256()
        try check(X509_sign(certificate, signingKey, digest) > 0)
        chain = [Self.der(certificate)] + (issuer?.intermediates ?? [])
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
    }

    /// The certificates that lead on from this one, without the root.
    private var intermediates: [[UInt8]] { chain.count > 1 || !isRoot ? chain : [] }
    private var isRoot: Bool {
        X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0
    }

    package var pem: [UInt8] {
        let lines = Data(chain[0]).base64EncodedString(options: .lineLength64Characters)
        return Array("-----BEGIN CERTIFICATE-----\n\(lines)\n-----END CERTIFICATE-----\n".utf8)
    }

    private static func name(_ organisation: String) throws -> OpaquePointer {
        let name = try made(X509_NAME_new())
        for (field, value) in [("O", organisation), ("CN", "test")] {
            X509_NAME_add_entry_by_txt(name, field, Int32(MBSTRING_UTF8), value, -1, -1, 0)
        }
        return name
    }

    private static func makeKey(_ kind: Kind) throws -> OpaquePointer {
        let type =
            switch kind {
            case .p256, .p384, .p521: EVP_PKEY_EC
            case .rsa: EVP_PKEY_RSA
            case .ed25519: EVP_PKEY_ED25519
            }
        let context = try made(EVP_PKEY_CTX_new_id(type, nil))
        defer { EVP_PKEY_CTX_free(context) }
        try check(EVP_PKEY_keygen_init(context) == 1)
        switch kind {
        case .p256: EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1)
        case .p384: EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_secp384r1)
        case .p521: EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_secp521r1)
        case .rsa: EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048)
        case .ed25519: break
        }
        var key: OpaquePointer?
        try check(EVP_PKEY_keygen(context, &key) == 1)
        return try made(key)
    }

    private static func der(_ certificate: OpaquePointer) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(i2d_X509(certificate, nil)))
        bytes.withUnsafeMutableBufferPointer { buffer in
            var start = buffer.baseAddress
            i2d_X509(certificate, &start)
        }
        return bytes
    }

    // MARK: Signing

    package var algorithm: Int {
        switch kind {
        case .p256: -7
        case .p384: -35
        case .p521: -36
        case .rsa: -37
        case .ed25519: -8
        }
    }

    /// Returns the COSE signature of a claim, perhaps with a time stamp of an authority, in the older or newer header.
    package func sign(_ claim: [UInt8], stamp: TestStamp? = nil) throws -> [UInt8] {
        let header = Item.map([(1, .int(algorithm)), (33, .array(chain.map { .bytes($0) }))]).encoded
        func structure(_ name: String, _ payload: [UInt8]) -> [UInt8] {
            Item.array([.text(name), .bytes(header), .bytes([]), .bytes(payload)]).encoded
        }
        let signature = try raw(structure("Signature1", claim))
        var headers: [(Item, Item)] = []
        if let stamp {
            let stamped = stamp.isOld ? claim : Item.bytes(signature).encoded
            let token = try stamp.token(of: stamp.damage(structure("CounterSignature", stamped)))
            headers = [(stamp.isOld ? "sigTst" : "sigTst2", ["tstTokens": [["val": .bytes(token)]]])]
        }
        return Item.tagged(18, .array([.bytes(header), .map(headers), .null, .bytes(signature)])).encoded
    }

    private func raw(_ bytes: [UInt8]) throws -> [UInt8] {
        let context = try made(EVP_MD_CTX_new())
        defer { EVP_MD_CTX_free(context) }
        let digest =
            switch kind {
            case .p256, .rsa: EVP_sha256()
            case .p384: EVP_sha384()
            case .p521: EVP_sha512()
            case .ed25519: OpaquePointer?.none
            }
        var options: OpaquePointer?
        try check(EVP_DigestSignInit(context, &options, digest, nil, key) == 1)
        if kind == .rsa {
            EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING)
            EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST)
        }
        var count = 0
        try check(EVP_DigestSign(context, nil, &count, bytes, bytes.count) == 1)
        var signature = [UInt8](repeating: 0, count: count)
        try check(EVP_DigestSign(context, &signature, &count, bytes, bytes.count) == 1)
        signature.removeLast(signature.count - count)
        return switch kind {
        case .p256: Self.plain(signature, 32)
        case .p384: Self.plain(signature, 48)
        case .p521: Self.plain(signature, 66)
        case .rsa, .ed25519: signature
        }
    }

    /// Returns the two numbers of an ECDSA signature in DER, each in `size` bytes.
    private static func plain(_ der: [UInt8], _ size: Int) -> [UInt8] {
        var rest = der.dropFirst(der[1] == 0x81 ? 3 : 2)
        var numbers: [UInt8] = []
        for _ in 0..<2 {
            let length = Int(rest[rest.startIndex + 1])
            let digits = rest.dropFirst(2).prefix(length).suffix(size)
            numbers += Array(repeating: 0, count: size - digits.count) + digits
            rest = rest.dropFirst(2 + length)
        }
        return numbers
    }
}

/// A time stamp (RFC 3161) that the tests make with libcrypto.
package struct TestStamp {
    package var authority: TestSigner
    /// In seconds since 1970.
    package var time = present
    package var isOld = false
    package var damage: ([UInt8]) -> [UInt8] = { $0 }

    package init(
        authority: TestSigner, time: Int = present, isOld: Bool = false,
        damage: @escaping ([UInt8]) -> [UInt8] = { $0 }
    ) {
        self.authority = authority
        self.time = time
        self.isOld = isOld
        self.damage = damage
    }

    package static let extensions: [(Int32, String)] = [
        (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature"),
        (NID_ext_key_usage, "critical,timeStamping"), (NID_authority_key_identifier, "keyid:always"),
    ]

    /// Returns the authority's response for the older header, and only its token for the newer.
    package func token(of bytes: [UInt8]) throws -> [UInt8] {
        let request = try made(TS_REQ_new())
        let imprint = try made(TS_MSG_IMPRINT_new())
        let algorithm = try made(X509_ALGOR_new())
        let context = try made(TS_RESP_CTX_new())
        let input = try made(BIO_new(BIO_s_mem()))
        defer {
            TS_REQ_free(request)
            TS_MSG_IMPRINT_free(imprint)
            X509_ALGOR_free(algorithm)
            TS_RESP_CTX_free(context)
            BIO_free(input)
        }
        X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, nil)
        TS_MSG_IMPRINT_set_algo(imprint, algorithm)
        var digest = sha256(bytes)
        TS_MSG_IMPRINT_set_msg(imprint, &digest, Int32(digest.count))
        TS_REQ_set_version(request, 1)
        TS_REQ_set_msg_imprint(request, imprint)
        TS_REQ_set_cert_req(request, 1)
        i2d_TS_REQ_bio(input, request)
        TS_RESP_CTX_set_signer_cert(context, authority.certificate)
        TS_RESP_CTX_set_signer_key(context, authority.key)
        TS_RESP_CTX_set_signer_digest(context, EVP_sha256())
        let policy = OBJ_txt2obj("1.2.3.4", 1)
        TS_RESP_CTX_set_def_policy(context, policy)
        ASN1_OBJECT_free(policy)
        TS_RESP_CTX_add_md(context, EVP_sha256())
        var time = time
        return try withUnsafeMutablePointer(to: &time) { pointer in
            TS_RESP_CTX_set_time_cb(
                context,
                { _, data, seconds, microseconds in
                    seconds?.pointee = data?.load(as: Int.self) ?? 0
                    microseconds?.pointee = 0
                    return 1
                }, pointer)
            let response = try made(TS_RESP_create_response(context, input))
            defer { TS_RESP_free(response) }
            let token = try made(TS_RESP_get_token(response))
            return isOld
                ? written(i2d_TS_RESP(response, nil)) { i2d_TS_RESP(response, &$0) }
                : written(i2d_PKCS7(token, nil)) { i2d_PKCS7(token, &$0) }
        }
    }

    private func written(_ count: Int32, _ write: (inout UnsafeMutablePointer<UInt8>?) -> Int32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(count))
        bytes.withUnsafeMutableBufferPointer { buffer in
            var start = buffer.baseAddress
            _ = write(&start)
        }
        return bytes
    }
}

/// Returns the digest of bytes by libcrypto.
package func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
    return digest
}

/// The error when libcrypto refuses something.
struct CryptoFailure: Error {}

/// Returns what libcrypto has made.
private func made<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw CryptoFailure() }
    return value
}

private func check(_ isDone: Bool) throws {
    guard isDone else { throw CryptoFailure() }
}
