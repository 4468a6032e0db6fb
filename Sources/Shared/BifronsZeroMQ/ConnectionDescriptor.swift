import Glibc

/// A connection's file descriptor, as given by ``MonitorEvent/descriptor`` and ``Message/sourceDescriptor``.
///
/// It serves operations that libzmq does not offer. libzmq owns the descriptor. Read the socket's ``Monitor`` just
/// before using it, otherwise it may already belong to a later connection.
public struct ConnectionDescriptor: Hashable, Sendable {
    /// The descriptor's number.
    public let rawValue: Int32

    /// The connection of a descriptor.
    public init(_ rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// Ends the connection. libzmq sees that the peer is gone and frees everything that it holds for it.
    ///
    /// Over TCP the peer receives a reset when libzmq closes the descriptor. Without a reset a peer that has filled its
    /// window would wait, because Linux does not announce free window space after `shutdown`.
    public func end() {
        var reset = linger(l_onoff: 1, l_linger: 0)
        _ = setsockopt(rawValue, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
        _ = shutdown(rawValue, Int32(SHUT_RDWR))
    }

    /// The number of bytes that have arrived, whether libzmq has read them or not; nil except for TCP, the only
    /// transport for which the system counts them.
    public var bytesReceived: UInt64? {
        withUnsafeTemporaryAllocation(byteCount: Self.bytesReceivedEnd, alignment: 8) { information in
            var size = socklen_t(information.count)
            guard getsockopt(rawValue, Int32(IPPROTO_TCP), TCP_INFO, information.baseAddress, &size) == 0,
                size == information.count
            else { return nil }
            return information.load(fromByteOffset: Self.bytesReceivedOffset, as: UInt64.self)
        }
    }

    /// The offset of `tcpi_bytes_received` in the kernel's `tcp_info` (linux/tcp.h). glibc's declaration lacks that
    /// field.
    private static let bytesReceivedOffset = 128
    private static let bytesReceivedEnd = bytesReceivedOffset + MemoryLayout<UInt64>.size
}
