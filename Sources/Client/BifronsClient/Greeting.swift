import BifronsWire
import Glibc
import Reactor

/// Finds out which security mechanism a ZMTP peer uses, NULL or CURVE.
///
/// libzmq's monitor reports this only sometimes: a peer of another mechanism ends the connection, often before it has
/// sent its own mechanism. So this sends only the beginning of a greeting, on a separate connection, and the peer then
/// sends its whole greeting.
enum Greeting {
    /// The signature and the major version (RFC 23).
    private static let beginning: [UInt8] = [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3]
    /// The position of the mechanism's name, which is padded with zeros.
    private static let mechanism = 12..<32

    /// Returns the name of the mechanism, or nil if no ZMTP peer answers in time. Blocks for at most that time.
    static func mechanism(of endpoint: String, within time: Duration) -> String? {
        let end = MonotonicClock.now() + time
        guard let descriptor = connect(to: endpoint, until: end) else { return nil }
        defer { close(descriptor) }
        guard send(descriptor, beginning, beginning.count, Int32(MSG_NOSIGNAL)) == beginning.count else { return nil }
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64)
        while received.count < mechanism.upperBound {
            guard wait(descriptor, for: POLLIN, until: end) else { return nil }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            received += buffer[..<count]
        }
        guard received.first == beginning.first else { return nil }
        return String(decoding: received[mechanism].prefix { $0 != 0 }, as: UTF8.self)
    }

    private static func connect(to endpoint: String, until end: Instant) -> Int32? {
        if endpoint.hasPrefix("ipc://") {
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let path = endpoint.dropFirst("ipc://".count).utf8
            guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
            return withUnsafePointer(to: &address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(AF_UNIX, $0, socklen_t(MemoryLayout<sockaddr_un>.size), until: end)
                }
            }
        }
        guard endpoint.hasPrefix("tcp://"), let colon = endpoint.lastIndex(of: ":") else { return nil }
        let host = endpoint[..<colon].dropFirst("tcp://".count).filter { !"[]".contains($0) }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(endpoint[colon...].dropFirst()), &hints, &found) == 0 else { return nil }
        defer { freeaddrinfo(found) }
        var next = found
        while let address = next?.pointee {
            let descriptor = connect(address.ai_family, address.ai_addr, address.ai_addrlen, until: end)
            if let descriptor { return descriptor }
            next = address.ai_next
        }
        return nil
    }

    private static func connect(
        _ family: Int32, _ address: UnsafePointer<sockaddr>, _ size: socklen_t, until end: Instant
    ) -> Int32? {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { return nil }
        var problem: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        if Glibc.connect(descriptor, address, size) == 0 { return descriptor }
        guard errno == EINPROGRESS, wait(descriptor, for: POLLOUT, until: end),
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &length) == 0, problem == 0
        else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    private static func wait(_ descriptor: Int32, for event: Int32, until end: Instant) -> Bool {
        var item = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        while true {
            let count = poll(&item, 1, Int32(MonotonicClock.now().pollMilliseconds(until: end)))
            if count >= 0 || errno != EINTR { return count > 0 }
        }
    }
}
