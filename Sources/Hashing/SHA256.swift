import CCrypto

/// SHA-256 (FIPS 180-4) of bytes in memory, by OpenSSL's libcrypto, which uses the processor's SHA instructions.
public enum SHA256 {
    /// Bytes of a digest.
    public static let byteCount = 32

    /// The digest in lower-case hexadecimal, 64 characters.
    public static func hexDigest(of bytes: UnsafeRawBufferPointer) -> String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: byteCount) { digest in
            let done = EVP_Digest(bytes.baseAddress, bytes.count, digest.baseAddress, nil, EVP_sha256(), nil)
            precondition(done == 1, "libcrypto refuses SHA-256")
            return String(unsafeUninitializedCapacity: 2 * byteCount) { text in
                for (index, byte) in digest.enumerated() {
                    text[2 * index] = hexadecimal(byte >> 4)
                    text[2 * index + 1] = hexadecimal(byte & 15)
                }
                return 2 * byteCount
            }
        }
    }

    /// The digest in lower-case hexadecimal, 64 characters.
    public static func hexDigest(of bytes: [UInt8]) -> String {
        bytes.withUnsafeBytes { hexDigest(of: $0) }
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
}
