/// A place where sockets meet: `tcp://HOST:PORT` or `ipc://PATH`; or all places that a name stands for: `dns://NAME:PORT`.
struct Endpoint: Equatable {
    enum Use {
        /// HOST may be an interface or `*`, PORT may be `*` for any free one.
        case bind
        case connect
        /// As `connect`; and `dns://` is followed.
        case follow
    }

    /// Bytes of a path that fit into the system's `sockaddr_un`.
    static let pathBytes = 107

    let text: String
    /// Whether only this machine can reach it.
    let isLocal: Bool

    /// Nil for anything that libzmq would not take, and for transports that leave the process (`inproc`) or its model
    /// (`pgm`, `vmci`).
    init?(_ text: String, for use: Use) {
        self.text = text
        if text.hasPrefix("ipc://") {
            guard (1...Self.pathBytes).contains(text.utf8.count - "ipc://".utf8.count) else { return nil }
            isLocal = true
        } else if text.hasPrefix("tcp://") || (use == .follow && text.hasPrefix("dns://")) {
            let address = text.dropFirst("tcp://".count)
            guard let colon = address.lastIndex(of: ":") else { return nil }
            let host = address[..<colon]
            let port = address[address.index(after: colon)...]
            let isAnyPort = use == .bind && port == "*"
            guard isAnyPort || UInt16(port).map({ $0 > 0 }) == true else { return nil }
            guard !host.isEmpty, host != "*" || use == .bind, !host.contains(where: { $0 == "/" || $0 == " " }) else {
                return nil
            }
            // A name, not an address of IPv6.
            if text.hasPrefix("dns://"), host.contains(where: { "[:]".contains($0) }) { return nil }
            isLocal = host == "localhost" || host == "lo" || host == "[::1]" || Self.isLoopback(host)
        } else {
            return nil
        }
    }

    /// Where a process of this machine connects to reach who is bound here; nil if the port is not known beforehand.
    var localPeer: String? {
        guard text.hasPrefix("tcp://") else { return text }
        if text.hasSuffix(":*") { return nil }
        for (every, loopback) in [("*", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("[::]", "[::1]"), ("lo", "127.0.0.1")]
        where text.hasPrefix("tcp://\(every):") {
            return "tcp://\(loopback)" + text.dropFirst("tcp://\(every)".count)
        }
        return text
    }

    /// 127.0.0.0/8. A name such as `127.0.0.1.example.org` is not an address.
    private static func isLoopback(_ host: Substring) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
