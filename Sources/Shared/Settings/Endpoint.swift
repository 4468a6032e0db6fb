/// An endpoint of a ZeroMQ socket: `tcp://HOST:PORT` or `ipc://PATH`. `dns://NAME:PORT` stands for a TCP endpoint at
/// each address of the name.
struct Endpoint: Equatable {
    /// How a program uses an endpoint, which decides on the forms that are allowed.
    enum Use {
        /// A socket listens there: HOST may be an interface or `*`, and PORT may be `*` for any free port.
        case bind
        /// A socket connects to it.
        case connect
        /// A socket connects to it; `dns://` is allowed, too, and its addresses are looked up repeatedly.
        case follow
    }

    /// The most bytes of a path that fit into the system's `sockaddr_un`.
    static let pathBytes = 107

    /// The endpoint as it was written.
    let text: String
    /// Whether only this machine can reach the endpoint.
    let isLocal: Bool

    /// Returns nil for a text that libzmq would not accept, and for transports that cannot connect programs (`inproc`)
    /// or that Bifrons does not support (`pgm`, `vmci`).
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
            // Only names can be looked up, and an IPv6 address in brackets is none.
            if text.hasPrefix("dns://"), host.contains(where: { "[:]".contains($0) }) { return nil }
            isLocal = host == "localhost" || host == "lo" || host == "[::1]" || Self.isLoopback(host)
        } else {
            return nil
        }
    }

    /// The endpoint to which a process on this machine connects to reach a socket bound to this one; nil if PORT is
    /// `*`.
    var localPeer: String? {
        guard text.hasPrefix("tcp://") else { return text }
        if text.hasSuffix(":*") { return nil }
        for (every, loopback) in [("*", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("[::]", "[::1]"), ("lo", "127.0.0.1")]
        where text.hasPrefix("tcp://\(every):") {
            return "tcp://\(loopback)" + text.dropFirst("tcp://\(every)".count)
        }
        return text
    }

    /// Whether a host is an address in 127.0.0.0/8. A name such as `127.0.0.1.example.org` is none.
    private static func isLoopback(_ host: Substring) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
