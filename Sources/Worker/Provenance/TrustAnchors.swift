import CCrypto

/// The certificates that an operator trusts: a signer is trusted if its certificate is one of them, or leads to one.
///
/// Names are never compared.
package final class TrustAnchors: @unchecked Sendable {
    // libcrypto serialises access to a store by a lock of its own; nothing is added after `init`.
    private let store: OpaquePointer
    /// The same certificates for time stamps, whose own time counts in the place of the present.
    private let authorities: OpaquePointer
    /// The number of certificates.
    package let count: Int

    /// A list that trusts nobody.
    package static let none = TrustAnchors()

    private static func makeStore() -> OpaquePointer {
        guard let store = X509_STORE_new() else { preconditionFailure("libcrypto is out of memory") }
        return store
    }

    private init() {
        (store, authorities) = (TrustAnchors.makeStore(), TrustAnchors.makeStore())
        count = 0
    }

    /// Reads the certificates of a PEM file. What is between them is ignored.
    ///
    /// - Throws: ``TrustListError`` if the text has no certificate, or one that is damaged.
    package init(pem: [UInt8]) throws(TrustListError) {
        guard let input = BIO_new_mem_buf(pem, Int32(clamping: pem.count)) else {
            preconditionFailure("libcrypto is out of memory")
        }
        (store, authorities) = (TrustAnchors.makeStore(), TrustAnchors.makeStore())
        // An anchor need not be a root.
        X509_STORE_set_flags(authorities, UInt(X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME))
        var count = 0
        while let certificate = PEM_read_bio_X509(input, nil, nil, nil) {
            X509_STORE_add_cert(store, certificate)
            X509_STORE_add_cert(authorities, certificate)
            X509_free(certificate)
            count += 1
        }
        // The end of the text is reported as a missing first line.
        let error = ERR_peek_last_error()
        let isAtEnd = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE
        self.count = count
        BIO_free(input)
        ERR_clear_error()
        guard count > 0 else {
            throw TrustListError(message: "it has no certificate in PEM")
        }
        guard isAtEnd else {
            throw TrustListError(message: "it is damaged behind its certificate number \(count)")
        }
    }

    deinit {
        X509_STORE_free(store)
        X509_STORE_free(authorities)
    }

    /// Returns whether the first certificate is one of the anchors or leads to one over the others, at a time in
    /// seconds since 1970.
    func trust(_ chain: [Certificate], at seconds: Int) -> Bool {
        guard let first = chain.first, count > 0, chain.allSatisfy({ $0.key?.isBounded == true }),
            let context = X509_STORE_CTX_new(), let others = OPENSSL_sk_new_null()
        else { return false }
        defer {
            X509_STORE_CTX_free(context)
            OPENSSL_sk_free(others)
            ERR_clear_error()
        }
        for certificate in chain.dropFirst() { OPENSSL_sk_push(others, UnsafeRawPointer(certificate.pointer)) }
        guard X509_STORE_CTX_init(context, store, first.pointer, others) == 1,
            let parameters = X509_STORE_CTX_get0_param(context)
        else { return false }
        X509_VERIFY_PARAM_set_time(parameters, seconds)
        // An anchor need not be a root.
        X509_VERIFY_PARAM_set_flags(parameters, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        X509_VERIFY_PARAM_set_depth(parameters, 10)
        return withExtendedLifetime(chain) { X509_verify_cert(context) == 1 }
    }
}

extension TrustAnchors {
    /// Returns the certificate of the authority that signed a time stamp, if the signature is valid and the certificate
    /// is one of the anchors or leads to one. Whether it was valid at the time is not checked.
    func authority(of token: UnsafeMutablePointer<PKCS7>) -> Certificate? {
        guard count > 0 else { return nil }
        var signer: OpaquePointer?
        guard TS_RESP_verify_signature(token, nil, authorities, &signer) == 1 else {
            ERR_clear_error()
            return nil
        }
        return signer.map { Certificate(owning: $0) }
    }
}

/// The reason why a list of trusted certificates cannot be used.
package struct TrustListError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, as a clause for people.
    package let message: String
    package var description: String { message }
}
