import CCrypto
import Glibc

/// A time stamp of a signature (RFC 3161).
struct TimeStamp {
    /// The status codes of the check.
    private(set) var codes: [String]
    /// When the signature existed, in seconds since 1970; nil unless a trusted authority says so.
    private(set) var time: Int?

    /// The most bytes of a time stamp that is read, which bounds its certificates.
    private static let longest = 1 << 15

    /// Reads and checks a time stamp.
    ///
    /// - Parameters:
    ///   - token: A response of a time stamp authority, or only its token.
    ///   - bytes: What was stamped.
    ///   - anchors: The certificates that make an authority trusted.
    init(_ token: [UInt8], of bytes: [UInt8], _ anchors: TrustAnchors) {
        defer { ERR_clear_error() }
        guard token.count <= Self.longest, let parsed = Token(token), let information = parsed.information else {
            codes = ["timeStamp.malformed"]
            return
        }
        guard Self.matches(information, bytes) else {
            codes = ["timeStamp.mismatch"]
            return
        }
        guard let signer = anchors.authority(of: parsed.pointer), let time = Self.time(of: information),
            signer.isValid(at: time)
        else {
            codes = ["timeStamp.untrusted"]
            return
        }
        codes = ["timeStamp.validated", "timeStamp.trusted"]
        self.time = time
    }

    /// A signed message with a time stamp, of libcrypto's.
    private final class Token {
        let pointer: UnsafeMutablePointer<PKCS7>
        let information: OpaquePointer?

        init?(_ bytes: [UInt8]) {
            let pointer = bytes.withUnsafeBufferPointer { buffer in
                var start = buffer.baseAddress
                if let response = d2i_TS_RESP(nil, &start, buffer.count) {
                    defer { TS_RESP_free(response) }
                    return TS_RESP_get_token(response).flatMap { PKCS7_dup($0) }
                }
                start = buffer.baseAddress
                return d2i_PKCS7(nil, &start, buffer.count)
            }
            guard let pointer else { return nil }
            self.pointer = pointer
            information = PKCS7_to_TS_TST_INFO(pointer)
        }

        deinit {
            TS_TST_INFO_free(information)
            PKCS7_free(pointer)
        }
    }

    /// Whether the digest in a time stamp is that of the bytes.
    private static func matches(_ information: OpaquePointer, _ bytes: [UInt8]) -> Bool {
        guard let imprint = TS_TST_INFO_get_msg_imprint(information), let algorithm = TS_MSG_IMPRINT_get_algo(imprint),
            let message = TS_MSG_IMPRINT_get_msg(imprint)
        else { return false }
        var identifier: OpaquePointer?
        X509_ALGOR_get0(&identifier, nil, nil, algorithm)
        let digest: OpaquePointer? =
            switch OBJ_obj2nid(identifier) {
            case NID_sha256: EVP_sha256()
            case NID_sha384: EVP_sha384()
            case NID_sha512: EVP_sha512()
            default: nil
            }
        guard let digest else { return false }
        var found = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        guard EVP_Digest(bytes, bytes.count, &found, &count, digest, nil) == 1 else { return false }
        let stamped = UnsafeBufferPointer(
            start: ASN1_STRING_get0_data(message), count: Int(ASN1_STRING_length(message)))
        return found.prefix(Int(count)).elementsEqual(stamped)
    }

    private static func time(of information: OpaquePointer) -> Int? {
        var parts = tm()
        guard let time = TS_TST_INFO_get_time(information), ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return timegm(&parts)
    }
}
