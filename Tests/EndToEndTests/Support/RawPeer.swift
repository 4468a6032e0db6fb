import Glibc
import Testing

/// A connection without libzmq, for bytes that libzmq would not send and for pauses that it would not make.
final class RawPeer {
    /// The greeting of ZMTP 3.0 with mechanism NULL, and the READY command of a DEALER, which complete the handshake.
    static let handshake: [UInt8] =
        [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 0] + Array("NULL".utf8) + Array(repeating: 0, count: 48)
        + [0x04, 28, 5] + Array("READY".utf8) + [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)

    private let descriptor: Int32

    /// Connects to an ipc endpoint.
    init(_ endpoint: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: endpoint.dropFirst("ipc://".count).utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
    }

    deinit { close(descriptor) }

    /// Sends as much as the peer accepts.
    func send(_ bytes: [UInt8]) {
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Returns whether the peer has ended the connection. Ignores received bytes.
    func hasEnded() -> Bool {
        var buffer: [UInt8] = Array(repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count == 0 || count < 0 && errno != EAGAIN && errno != EINTR { return true }
            if count < 0 && errno == EAGAIN { return false }
        }
    }
}
