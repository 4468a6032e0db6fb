import CZeroMQ

extension SocketOptions {
    /// Sets the options of a new socket.
    ///
    /// - Throws: ``ZeroMQError`` that names the option, if libzmq refuses one or a CURVE key is malformed.
    func apply(to socket: UnsafeMutableRawPointer, kind: Socket.Kind) throws(ZeroMQError) {
        let setter = OptionSetter(socket: socket)
        try applyMessages(setter, kind)
        try applyConnections(setter)
        try applySecurity(setter)
    }

    /// Sets what concerns messages: routing, high-water marks, linger and sizes.
    private func applyMessages(_ setter: OptionSetter, _ kind: Socket.Kind) throws(ZeroMQError) {
        switch kind {
        case .router:
            try setter.set(ZMQ_ROUTER_MANDATORY, routerMandatory, "routerMandatory")
            try setter.set(ZMQ_ROUTER_HANDOVER, routerHandover, "routerHandover")
            try setter.set(ZMQ_PROBE_ROUTER, probeRouter, "probeRouter")
        case .dealer, .req:
            try setter.set(ZMQ_PROBE_ROUTER, probeRouter, "probeRouter")
        default: break
        }
        if let routingID { try setter.set(ZMQ_ROUTING_ID, routingID, "routingID") }
        try setter.set(ZMQ_SNDHWM, Int32(clamping: sendHighWater), "sendHighWater")
        try setter.set(ZMQ_RCVHWM, Int32(clamping: receiveHighWater), "receiveHighWater")
        try setter.set(ZMQ_LINGER, linger?.wholeMilliseconds ?? -1, "linger")
        if let maxMessageSize { try setter.set(ZMQ_MAXMSGSIZE, Int64(maxMessageSize), "maxMessageSize") }
    }

    /// Sets what concerns connections: heartbeats, time limits, TCP and reconnection.
    private func applyConnections(_ setter: OptionSetter) throws(ZeroMQError) {
        if let heartbeat {
            try setter.set(ZMQ_HEARTBEAT_IVL, heartbeat.interval.wholeMilliseconds, "heartbeat.interval")
            try setter.set(ZMQ_HEARTBEAT_TIMEOUT, heartbeat.timeout.wholeMilliseconds, "heartbeat.timeout")
            if let timeToLive = heartbeat.timeToLive {
                try setter.set(ZMQ_HEARTBEAT_TTL, timeToLive.wholeMilliseconds, "heartbeat.timeToLive")
            }
        }
        try setter.set(ZMQ_CONNECT_TIMEOUT, connectTimeout?.wholeMilliseconds ?? 0, "connectTimeout")
        try setter.set(ZMQ_HANDSHAKE_IVL, handshakeInterval?.wholeMilliseconds ?? 0, "handshakeInterval")
        if let tcpKeepAlive {
            let (idle, interval) = (tcpKeepAlive.idleSeconds ?? -1, tcpKeepAlive.intervalSeconds ?? -1)
            try setter.set(ZMQ_TCP_KEEPALIVE, Int32(1), "tcpKeepAlive")
            try setter.set(ZMQ_TCP_KEEPALIVE_IDLE, Int32(clamping: idle), "tcpKeepAlive.idleSeconds")
            try setter.set(ZMQ_TCP_KEEPALIVE_INTVL, Int32(clamping: interval), "tcpKeepAlive.intervalSeconds")
            try setter.set(ZMQ_TCP_KEEPALIVE_CNT, Int32(clamping: tcpKeepAlive.probes ?? -1), "tcpKeepAlive.probes")
        }
        if let tcpAcknowledgementTimeout {
            try setter.set(ZMQ_TCP_MAXRT, tcpAcknowledgementTimeout.wholeMilliseconds, "tcpAcknowledgementTimeout")
        }
        try setter.set(ZMQ_RECONNECT_IVL, reconnectMinimum.wholeMilliseconds, "reconnectMinimum")
        try setter.set(ZMQ_RECONNECT_IVL_MAX, reconnectMaximum.wholeMilliseconds, "reconnectMaximum")
        try setter.set(ZMQ_IPV6, ipv6, "ipv6")
    }

    /// Sets the socket's role in CURVE and its ZAP domain.
    private func applySecurity(_ setter: OptionSetter) throws(ZeroMQError) {
        switch curve {
        case .none: break
        case .server(let secretKey):
            try setter.set(ZMQ_CURVE_SERVER, Int32(1), "curve")
            try setter.set(ZMQ_CURVE_SECRETKEY, Curve.decode(secretKey, "curve.secretKey"), "curve.secretKey")
        case .client(let serverKey, let publicKey, let secretKey):
            try setter.set(ZMQ_CURVE_SERVERKEY, Curve.decode(serverKey, "curve.serverKey"), "curve.serverKey")
            try setter.set(ZMQ_CURVE_PUBLICKEY, Curve.decode(publicKey, "curve.publicKey"), "curve.publicKey")
            try setter.set(ZMQ_CURVE_SECRETKEY, Curve.decode(secretKey, "curve.secretKey"), "curve.secretKey")
        }
        if let zapDomain { try setter.set(ZMQ_ZAP_DOMAIN, Array(zapDomain.utf8), "zapDomain") }
    }
}

/// Calls `zmq_setsockopt` with values of Swift types. `name` is the option's name in errors.
private struct OptionSetter {
    let socket: UnsafeMutableRawPointer

    func set<Value: FixedWidthInteger>(_ option: Int32, _ value: Value, _ name: String) throws(ZeroMQError) {
        var value = value
        guard zmq_setsockopt(socket, option, &value, MemoryLayout<Value>.size) == 0 else { throw .last("set", name) }
    }

    /// Sets a flag; an option that is off keeps libzmq's default, which is off.
    func set(_ option: Int32, _ flag: Bool, _ name: String) throws(ZeroMQError) {
        if flag { try set(option, Int32(1), name) }
    }

    func set(_ option: Int32, _ bytes: [UInt8], _ name: String) throws(ZeroMQError) {
        guard zmq_setsockopt(socket, option, bytes, bytes.count) == 0 else { throw .last("set", name) }
    }
}
