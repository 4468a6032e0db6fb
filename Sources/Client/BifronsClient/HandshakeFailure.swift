import BifronsZeroMQ

/// Why a handshake with a router failed, as far as the monitor reports it.
enum HandshakeFailure: Equatable {
    /// One side uses encryption, and the other does not.
    case mechanism
    /// The peer does not speak ZMTP.
    case protocolError
    /// The router ended the connection without an error message, as it does if it does not know the client's key.
    case ended
    /// The connection is established, but the handshake has not finished.
    case unfinished

    /// `ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH`.
    private static let mechanismMismatch: Int32 = 0x1100_0002

    /// Creates the failure that a monitor event reports; nil if it reports none.
    init?(_ event: MonitorEvent) {
        switch event.kind {
        case .handshakeFailedProtocol where event.value == Self.mechanismMismatch: self = .mechanism
        case .handshakeFailedProtocol: self = .protocolError
        case .handshakeFailedAuthentication, .handshakeFailedNoDetail: self = .ended
        case .connected: self = .unfinished
        default: return nil
        }
    }

    /// Creates the failure that a router of this mechanism would cause; nil if both sides or neither have keys.
    init?(mechanism: String, hasKeys: Bool) {
        guard (mechanism == "NULL" && hasKeys) || (mechanism == "CURVE" && !hasKeys) else { return nil }
        self = .mechanism
    }

    /// How much the failure explains; a higher one replaces a lower one.
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

    /// Whether libzmq does not reconnect by itself after this failure.
    var isFinalForZeroMQ: Bool { self == .mechanism || self == .protocolError }

    /// Returns the error for a call that has waited for this router; nil if the failure explains nothing.
    /// - Parameters:
    ///   - endpoint: the router's endpoint.
    ///   - hasKeys: whether the client has keys.
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
