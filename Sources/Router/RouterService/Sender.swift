internal import BifronsZeroMQ

/// Who sent a client's message: its routing id.
enum Sender: Hashable {
    /// The number that the ROUTER gave to the connection: each gets the next one, and after the last one comes the first.
    case numbered(UInt32)
    /// A number that stands for the id that the client chose: its connections follow one another with the same.
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

    /// What stands for the client where there are no keys.
    var identity: Int {
        switch self {
        case .numbered(let number): Int(number)
        case .named(let hash): hash
        }
    }

    /// Whether its connection was made before the other one; false if that cannot be told.
    func isOlder(than other: Sender) -> Bool {
        guard case .numbered(let own) = self, case .numbered(let others) = other else { return false }
        return own != others && others &- own < 1 << 31
    }
}
