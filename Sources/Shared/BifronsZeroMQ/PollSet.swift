import CZeroMQ
import Glibc

/// The sockets, monitors and descriptors that one thread waits for; level-triggered (`zmq_poll`).
///
/// An index stays valid until ``remove(_:)``. A socket that was closed while in the set is never ready again.
public struct PollSet {
    /// The conditions to wait for.
    public struct Interest: OptionSet, Sendable {
        /// The bits, those of `ZMQ_POLLIN` and its like.
        public let rawValue: Int16
        /// An interest by its bits.
        public init(rawValue: Int16) { self.rawValue = rawValue }
        /// A message or bytes can be received.
        public static let readable = Interest(rawValue: 1)
        /// A message or bytes can be sent.
        public static let writable = Interest(rawValue: 2)
        /// A descriptor (not a socket) has an error.
        public static let failed = Interest(rawValue: 4)
    }

    private var items: [zmq_pollitem_t] = []
    private var handles: [Socket.Handle?] = []
    private var free: [Int] = []

    /// Creates an empty set.
    public init() {}

    /// Adds a socket.
    ///
    /// - Returns: Its index.
    public mutating func add(_ socket: borrowing Socket, _ interest: Interest = .readable) -> Int {
        insert(zmq_pollitem_t(socket: socket.handle.raw, fd: -1, events: interest.rawValue, revents: 0), socket.handle)
    }

    /// Adds a monitor.
    ///
    /// - Returns: Its index.
    public mutating func add(_ monitor: borrowing Monitor) -> Int {
        add(monitor.socket)
    }

    /// Adds a descriptor, which its owner must keep open.
    ///
    /// - Returns: Its index.
    public mutating func add(descriptor: Int32, _ interest: Interest = .readable) -> Int {
        insert(zmq_pollitem_t(socket: nil, fd: descriptor, events: interest.rawValue, revents: 0), nil)
    }

    /// Adds a wake-up.
    ///
    /// - Returns: Its index.
    public mutating func add(_ wakeUp: WakeUp) -> Int {
        add(descriptor: wakeUp.descriptor)
    }

    /// Removes an entry. Its index may be reused.
    public mutating func remove(_ index: Int) {
        precondition(!free.contains(index), "entry \(index) was removed before")
        items[index] = .vacant
        handles[index] = nil
        free.append(index)
    }

    /// Changes the conditions that an entry waits for. An empty interest pauses the entry.
    public mutating func setInterest(_ interest: Interest, at index: Int) {
        items[index].events = interest.rawValue
    }

    /// Waits until an entry is ready.
    ///
    /// - Parameter milliseconds: The longest time to wait; 0: only checks; -1: no limit.
    /// - Throws: ``ZeroMQError`` if the context of a socket was shut down.
    /// - Returns: The number of ready entries; 0 after the time is over or a signal has interrupted the wait.
    public mutating func wait(milliseconds: Int) throws(ZeroMQError) -> Int {
        for (index, handle) in handles.enumerated() where handle != nil && handle?.raw == nil { items[index] = .vacant }
        let ready = items.withUnsafeMutableBufferPointer {
            zmq_poll($0.baseAddress, Int32($0.count), max(milliseconds, -1))
        }
        if ready >= 0 { return Int(ready) }
        let error = ZeroMQError.last("wait for", "sockets")
        for index in items.indices { items[index].revents = 0 }
        guard error.errno == EINTR else { throw error }
        return 0
    }

    /// Returns whether the last ``wait(milliseconds:)`` found data to receive. A later receive may still find none.
    public func isReadable(_ index: Int) -> Bool { items[index].revents & Interest.readable.rawValue != 0 }

    /// Returns whether the last ``wait(milliseconds:)`` found an error on a descriptor.
    public func isFailed(_ index: Int) -> Bool { items[index].revents & Interest.failed.rawValue != 0 }

    private mutating func insert(_ item: zmq_pollitem_t, _ handle: Socket.Handle?) -> Int {
        if let index = free.popLast() {
            items[index] = item
            handles[index] = handle
            return index
        }
        items.append(item)
        handles.append(handle)
        return items.count - 1
    }
}

extension zmq_pollitem_t {
    /// An entry that is never ready, because poll(2) ignores negative descriptors.
    fileprivate static var vacant: zmq_pollitem_t { zmq_pollitem_t(socket: nil, fd: -1, events: 0, revents: 0) }
}
