/// What a worker may still reach in its sandbox. It follows from the routers that the worker was given, and from what it
/// reads again while it serves.
package struct Allowance: Equatable, Sendable {
    /// The port of DNS over TCP.
    private static let domainPort: UInt16 = 53

    /// The TCP ports that the worker may connect to.
    package private(set) var ports: Set<UInt16> = []
    /// Whether it may connect to Unix sockets.
    package private(set) var unixSockets = false
    /// Whether it may ask for the addresses of names, which takes UDP sockets and the folder `/etc`.
    package private(set) var names = false
    /// The folders whose files it may read.
    package private(set) var folders: [String]
    /// Whether it may make memory executable.
    package let code: Bool

    /// Creates the allowance of a worker.
    ///
    /// - Parameters:
    ///   - routers: The endpoints of its routers, as its settings have them: `tcp://HOST:PORT`, `dns://NAME:PORT` or
    ///     `ipc://PATH`.
    ///   - code: Whether it makes code while it serves.
    ///   - folders: The folders whose files it reads again while it serves.
    ///   - resolverFile: The path, without links, of the file with the addresses of the name servers.
    package init(routers: [String], code: Bool, folders: [String] = [], resolverFile: String) {
        self.code = code
        self.folders = folders
        for router in routers {
            if router.hasPrefix("ipc://") {
                unixSockets = true
                continue
            }
            guard let colon = router.lastIndex(of: ":"), let port = UInt16(router[router.index(after: colon)...]) else {
                continue
            }
            ports.insert(port)
            let host = router[..<colon].dropFirst("tcp://".count)
            if router.hasPrefix("dns://") || !Self.isAddress(host) { names = true }
        }
        guard names else { return }
        ports.insert(Self.domainPort)
        // The whole folder, because these files are replaced when the network changes, and the rules are about files,
        // not names.
        self.folders.append("/etc")
        if let slash = resolverFile.lastIndex(of: "/"), !resolverFile.hasPrefix("/etc/") {
            self.folders.append(String(resolverFile[..<slash]))
        }
    }

    /// Whether a host is an IPv4 address, or an IPv6 address in brackets. One with the name of a network interface
    /// (`[fe80::1%eth0]`) is none, because that name has to be looked up.
    private static func isAddress(_ host: Substring) -> Bool {
        if host.hasPrefix("["), host.hasSuffix("]") { return !host.contains("%") }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }
}
