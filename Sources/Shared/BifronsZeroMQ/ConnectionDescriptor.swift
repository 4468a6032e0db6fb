import Glibc

/// A connection as the system knows it: by the descriptor that ``MonitorEvent/descriptor`` and
/// ``Message/sourceDescriptor`` tell.
///
/// For what libzmq has no call for. The descriptor stays libzmq's: who uses one has read the socket's ``Monitor`` just before,
/// or it may be that of a later connection.
public struct ConnectionDescriptor: Hashable, Sendable {
    public let rawValue: Int32

    public init(_ rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// Ends the connection: libzmq finds that its other side has gone, and lets go of everything that it holds for it.
    ///
    /// Over TCP the other side is told so by a reset when libzmq closes the descriptor: one that has filled its window would
    /// otherwise wait, for Linux tells nobody of room in a window after `shutdown`.
    public func end() {
        var reset = linger(l_onoff: 1, l_linger: 0)
        _ = setsockopt(rawValue, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
        _ = shutdown(rawValue, Int32(SHUT_RDWR))
    }

    /// Bytes that have arrived, whether libzmq has read them or not; `nil` where the system does not count them, which it
    /// does for TCP alone.
    public var bytesReceived: UInt64? {
        withUnsafeTemporaryAllocation(byteCount: Self.bytesReceivedEnd, alignment: 8) { information in
            var size = socklen_t(information.count)
            guard getsockopt(rawValue, Int32(IPPROTO_TCP), TCP_INFO, information.baseAddress, &size) == 0,
                size == information.count
            else { return nil }
            return information.load(fromByteOffset: Self.bytesReceivedOffset, as: UInt64.self)
        }
    }

    /// Where the kernel's `tcp_info` (linux/tcp.h) has `tcpi_bytes_received`; glibc's declaration of it ends before.
    private static let bytesReceivedOffset = 128
    private static let bytesReceivedEnd = bytesReceivedOffset + MemoryLayout<UInt64>.size
}
