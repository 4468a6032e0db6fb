import CCrypto
import Hexadecimal

/// Computes SHA-256 (FIPS 180-4) of bytes in memory with OpenSSL's libcrypto, which uses the processor's SHA
/// instructions.
package enum SHA256 {
    /// The number of bytes of a digest.
    package static let byteCount = 32

    /// Returns the digest's 32 bytes.
    package static func digest(of bytes: UnsafeRawBufferPointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: byteCount) { digest, count in
            let done = EVP_Digest(bytes.baseAddress, bytes.count, digest.baseAddress, nil, EVP_sha256(), nil)
            precondition(done == 1, "libcrypto refuses SHA-256")
            count = byteCount
        }
    }

    /// Returns the digest as 64 lower-case hexadecimal digits.
    package static func hexDigest(of bytes: UnsafeRawBufferPointer) -> String {
        digest(of: bytes).hexadecimal
    }

    /// Returns the digest as 64 lower-case hexadecimal digits.
    package static func hexDigest(of bytes: [UInt8]) -> String {
        bytes.withUnsafeBytes { hexDigest(of: $0) }
    }
}
