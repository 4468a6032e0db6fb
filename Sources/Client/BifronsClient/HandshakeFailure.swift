import BifronsZeroMQ

/// Why a handshake with a router failed, as far as the monitor tells.
enum HandshakeFailure: Equatable {
    /// The one side encrypts and the other does not.
    case mechanism
    /// What listens there does not speak ZMTP.
    case protocolError
    /// The router ended the connection without a word. To a client with keys it does that if it does not know them.
    case ended
    /// The connection was made, and nothing has come of it yet.
    case unfinished

    /// `ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH`.
    private static let mechanismMismatch: Int32 = 0x1100_0002

    /// Nil if the event is no failure of a handshake.
    init?(_ event: MonitorEvent) {
        switch event.kind {
        case .handshakeFailedProtocol where event.value == Self.mechanismMismatch: self = .mechanism
        case .handshakeFailedProtocol: self = .protocolError
        case .handshakeFailedAuthentication, .handshakeFailedNoDetail: self = .ended
        case .connected: self = .unfinished
        default: return nil
        }
    }

    /// What would fail with a router that greets with this mechanism; nil if nothing would for want of keys on one side.
    init?(mechanism: String, hasKeys: Bool) {
        guard (mechanism == "NULL" && hasKeys) || (mechanism == "CURVE" && !hasKeys) else { return nil }
        self = .mechanism
    }

    /// How much it says.
    var weight: Int {
        switch self {
        case .unfinished: 0
        case .ended: 1
        case .protocolError, .mechanism: 2
        }
    }

    private static let remedy =
        "router.public must be that router's, and its list 'allowed' must have this client's public key as a client's or an "
        + "operator's"

    /// Whether libzmq does not dial again by itself.
    var isFinalForZeroMQ: Bool { self == .mechanism || self == .protocolError }

    /// What a call is told that waited for this router; nil if nothing is known that would help.
    /// - Parameter hasKeys: whether the client has keys.
    func error(at endpoint: String, hasKeys: Bool) -> ClientError? {
        switch self {
        case .mechanism where hasKeys:
            ClientError(
                .keysRefused,
                "the router at \(endpoint) has no keys, and this client has; leave --keys out, or give the router its own"
            )
        case .mechanism:
            ClientError(
                .keysRefused,
                "the router at \(endpoint) wants keys, and this client has none; give it a folder with router.public and "
                    + "client.secret by --keys (see 'bifrons keygen --help')")
        case .ended where hasKeys:
            ClientError(.keysRefused, "the router at \(endpoint) refuses this client's keys; \(Self.remedy)")
        case .unfinished where hasKeys:
            ClientError(
                .keysRefused, "the router at \(endpoint) does not let this client in with its keys; \(Self.remedy)")
        case .ended:
            ClientError(
                .noRouter,
                "the router at \(endpoint) ends every connection in the handshake; it may want keys (--keys), or have no room "
                    + "for more (max-connections)")
        case .unfinished: nil
        case .protocolError:
            ClientError(.noRouter, "what listens at \(endpoint) is no router; name another with --router")
        }
    }
}
