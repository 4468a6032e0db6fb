internal import BifronsZeroMQ

/// The sender of a client's message, by its routing id.
enum Sender: Hashable {
    /// The number that the ROUTER socket assigned to the connection. Numbers are consecutive and wrap around.
    case numbered(UInt32)
    /// A hash of the routing id that the client chose. All its connections share it.
    case named(Int)

    init(_ message: Message) {
        self = message.withBytes(at: 0) { bytes in
            if bytes.count == 5, bytes[0] == 0 {
                return .numbered(bytes.dropFirst().reduce(0) { $0 << 8 | UInt32($1) })
            }
            var hasher = Hasher()
            hasher.combine(bytes: bytes)
            return .named(hasher.finalize())
        }
    }

    /// The number that stands for the client where keys are not in use.
    var identity: Int {
        switch self {
        case .numbered(let number): Int(number)
        case .named(let hash): hash
        }
    }

    /// Whether this sender's connection was made before the other's; false if that is unknown.
    func isOlder(than other: Sender) -> Bool {
        guard case .numbered(let own) = self, case .numbered(let others) = other else { return false }
        return own != others && others &- own < 1 << 31
    }
}
