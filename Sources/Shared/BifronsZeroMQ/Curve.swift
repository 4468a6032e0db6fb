import CZeroMQ
import Glibc

/// CURVE, libzmq's encryption and authentication (RFC 26/CURVEZMQ: Curve25519). A key is 40 characters of Z85 (RFC 32).
public enum Curve {
    /// A socket's side of CURVE, which does not depend on which side binds.
    public enum Role: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
        /// No encryption.
        case none
        /// The side that knows its own secret key. Clients must know the matching public key.
        case server(secretKey: String)
        /// The side that knows the server's public key and its own key pair.
        case client(serverKey: String, publicKey: String, secretKey: String)

        /// The side and its public keys, without any secret key.
        public var description: String {
            switch self {
            case .none: "none"
            case .server: "server"
            case .client(let serverKey, let publicKey, _): "client \(publicKey) of \(serverKey)"
            }
        }

        /// As ``description``: no secret key gets into a log.
        public var debugDescription: String { description }
    }

    /// Returns a new key pair.
    ///
    /// - Throws: ``ZeroMQError`` if this libzmq has no CURVE.
    public static func makeKeyPair() throws(ZeroMQError) -> (publicKey: String, secretKey: String) {
        var (publicKey, secretKey) = ([CChar](repeating: 0, count: 41), [CChar](repeating: 0, count: 41))
        guard zmq_curve_keypair(&publicKey, &secretKey) == 0 else { throw .last("make", "CURVE key pair") }
        return (text(publicKey), text(secretKey))
    }

    /// Returns the public key for `secretKey`.
    ///
    /// - Throws: ``ZeroMQError`` if it does not have the form of a key.
    public static func publicKey(of secretKey: String) throws(ZeroMQError) -> String {
        _ = try decode(secretKey, "secret key")
        var publicKey = [CChar](repeating: 0, count: 41)
        guard zmq_curve_public(&publicKey, secretKey) == 0 else { throw .last("derive", "CURVE public key") }
        return text(publicKey)
    }

    /// Returns whether `key` has the format of a key.
    public static func isKey(_ key: String) -> Bool {
        (try? decode(key, "key")) != nil
    }

    /// Returns the 40 characters of a key's 32 bytes; nil for any other number of bytes.
    public static func text(ofKey bytes: UnsafeRawBufferPointer) -> String? {
        guard bytes.count == 32, let base = bytes.baseAddress else { return nil }
        var key = [CChar](repeating: 0, count: 41)
        guard zmq_z85_encode(&key, base.assumingMemoryBound(to: UInt8.self), bytes.count) != nil else { return nil }
        return text(key)
    }

    static func decode(_ key: String, _ name: String) throws(ZeroMQError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 32)
        // zmq_z85_decode trusts the length of its input, so the length is checked first.
        guard key.utf8.count == 40, key.utf8.allSatisfy({ $0 > 32 && $0 < 127 }), zmq_z85_decode(&bytes, key) != nil
        else { throw ZeroMQError(errno: EINVAL, operation: "use", subject: name) }
        return bytes
    }

    private static func text(_ key: [CChar]) -> String {
        String(decoding: key.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
