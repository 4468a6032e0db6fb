import CZeroMQ
import Glibc

/// A multipart message: a list of frames. Each frame is a `zmq_msg_t` that this object owns and closes exactly once.
///
/// Reuse messages: ``Socket/receive(into:maxFrames:)`` and ``Socket/send(_:)`` fill and empty one without allocating,
/// once it has room for the frames. Frames of up to 33 bytes are stored in their slot, so bytes are lent only for the
/// duration of a closure. Two threads must not use a message at once; take a ``Frame`` to pass a payload to another
/// thread.
public final class Message {
    // Slots [0, count) are initialised messages; the rest is raw memory.
    private var slots: UnsafeMutablePointer<zmq_msg_t>
    private var capacity: Int

    /// The number of frames.
    public private(set) var count = 0

    /// The number of frames that the last ``Socket/receive(into:maxFrames:)`` discarded beyond its `maxFrames`.
    public private(set) var droppedFrames = 0

    /// Creates an empty message.
    public init() {
        capacity = 8
        slots = .allocate(capacity: capacity)
    }

    deinit {
        removeAll()
        slots.deallocate()
    }

    /// Whether the message has no frames.
    public var isEmpty: Bool { count == 0 }

    /// The sum of the frames' sizes in bytes.
    public var totalBytes: Int {
        var total = 0
        for index in 0..<count { total += zmq_msg_size(slots + index) }
        return total
    }

    // MARK: Reading

    /// Returns the size of a frame in bytes.
    public func byteCount(at index: Int) -> Int {
        zmq_msg_size(slot(index))
    }

    /// Calls `body` with the bytes of a frame, which are valid only during the call.
    ///
    /// - Throws: Whatever `body` throws.
    @inlinable
    public func withBytes<R, E: Error>(
        at index: Int, _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        // The frame lives in `slots`, which only a mutation of this object could free: `body` must not mutate it.
        defer { withExtendedLifetime(self) {} }
        return try body(bytes(at: index))
    }

    /// Calls `body` with the bytes of a frame, which are valid only during the call. (Swift 6.3 crashes when the other
    /// `withBytes` satisfies a protocol requirement that does not throw.)
    @inlinable
    public func withBytes<R>(at index: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        defer { withExtendedLifetime(self) {} }
        return body(bytes(at: index))
    }

    /// Returns a copy of a frame's bytes, for cold paths and tests.
    public func array(at index: Int) -> [UInt8] {
        [UInt8](bytes(at: index))
    }

    /// Returns a frame as text, with malformed UTF-8 repaired, for cold paths and tests.
    public func string(at index: Int) -> String {
        String(decoding: bytes(at: index), as: UTF8.self)
    }

    /// Returns a frame's payload by reference. It outlives the message and any thread may use it.
    public func frame(at index: Int) -> Frame {
        Frame(sharing: slot(index))
    }

    /// The descriptor of the connection that the message was received from (`ZMQ_SRCFD`). It equals the descriptor in
    /// that connection's ``MonitorEvent``s. Nil for a message that did not arrive over tcp or ipc.
    ///
    /// Later connections reuse descriptors. The monitor queues a `disconnected` event before a message of a later
    /// connection with the same descriptor can be received. To map descriptors to peers, drain the monitor before
    /// adding a peer; then the end of the old connection is never attributed to the new one.
    public var sourceDescriptor: Int32? {
        guard let slot = lastSlot else { return nil }
        let descriptor = zmq_msg_get(slot, ZMQ_SRCFD)
        return descriptor >= 0 ? descriptor : nil
    }

    /// The user id that the ZAP handler gave to the sender's connection (`User-Id`); nil without one.
    public var userID: String? {
        guard let slot = lastSlot, let text = zmq_msg_gets(slot, "User-Id") else { return nil }
        return String(cString: text)
    }

    // MARK: Building

    /// Appends a frame with a copy of `bytes`.
    public func append(_ bytes: UnsafeRawBufferPointer) {
        let slot = appendSlot(byteCount: bytes.count)
        if let source = bytes.baseAddress, bytes.count > 0 { memcpy(zmq_msg_data(slot), source, bytes.count) }
    }

    /// Appends a frame with a copy of `bytes`.
    public func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    /// Appends a frame with the UTF-8 of `text`.
    public func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// Appends a frame of `byteCount` bytes that `fill` writes in place. Bytes that it does not write are undefined.
    public func append(byteCount: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        let slot = appendSlot(byteCount: byteCount)
        fill(UnsafeMutableRawBufferPointer(start: zmq_msg_data(slot), count: byteCount))
    }

    /// Appends an empty frame, such as the delimiter of an envelope.
    public func appendEmpty() {
        _ = appendSlot(byteCount: 0)
    }

    /// Appends a frame of `other` by reference. Payloads of more than 33 bytes are not copied and outlive `other`.
    public func append(sharing other: Message, at index: Int) {
        reserve(count + 1)  // first: `other` may be this message
        append(copyOf: other.slot(index))
    }

    /// Appends several frames of `other` by reference.
    public func appendFrames(sharing other: Message, _ range: Range<Int>) {
        reserve(count + range.count)
        for index in range { append(copyOf: other.slot(index)) }
    }

    /// Appends a payload by reference.
    public func append(_ frame: Frame) {
        reserve(count + 1)
        append(copyOf: frame.slot)
    }

    /// Removes all frames and keeps the slots.
    public func removeAll() {
        for index in 0..<count { zmq_msg_close(slots + index) }
        count = 0
        droppedFrames = 0
    }

    /// Makes room for `frames` frames in total.
    public func reserve(_ frames: Int) {
        guard frames > capacity else { return }
        let grown = max(frames, capacity * 2)
        let moved = UnsafeMutablePointer<zmq_msg_t>.allocate(capacity: grown)
        for index in 0..<count {
            zmq_msg_init(moved + index)
            zmq_msg_move(moved + index, slots + index)
            zmq_msg_close(slots + index)
        }
        slots.deallocate()
        slots = moved
        capacity = grown
    }

    // MARK: Inside

    @usableFromInline
    func bytes(at index: Int) -> UnsafeRawBufferPointer {
        let slot = slot(index)
        return UnsafeRawBufferPointer(start: zmq_msg_data(slot), count: zmq_msg_size(slot))
    }

    private func slot(_ index: Int) -> UnsafeMutablePointer<zmq_msg_t> {
        precondition(index >= 0 && index < count, "frame \(index) of a message of \(count)")
        return slots + index
    }

    /// The slot that carries the connection's properties. libzmq does not set them on a ROUTER's first frame, the
    /// routing id, after a poll.
    private var lastSlot: UnsafeMutablePointer<zmq_msg_t>? { count > 0 ? slots + (count - 1) : nil }

    private func appendSlot(byteCount: Int) -> UnsafeMutablePointer<zmq_msg_t> {
        reserve(count + 1)
        let slot = slots + count
        guard zmq_msg_init_size(slot, byteCount) == 0 else { fatalError("no memory for a frame of \(byteCount) bytes") }
        count += 1
        return slot
    }

    private func append(copyOf source: UnsafeMutablePointer<zmq_msg_t>) {
        let slot = slots + count
        zmq_msg_init(slot)
        zmq_msg_copy(slot, source)
        count += 1
    }

    /// Reads one message from `socket` without waiting.
    ///
    /// - Returns: 0, or the errno (`EAGAIN`: no message); then the message is empty.
    func receive(from socket: UnsafeMutableRawPointer, maxFrames: Int) -> Int32 {
        removeAll()
        while count < maxFrames {
            reserve(count + 1)
            let slot = slots + count
            zmq_msg_init(slot)
            let errno = Message.receive(slot, from: socket)
            guard errno == 0 else {
                zmq_msg_close(slot)
                removeAll()
                return errno
            }
            count += 1
            if zmq_msg_more(slot) == 0 { return 0 }
        }
        // The surplus frames must be read, otherwise they would be taken for the start of the next message.
        var surplus = zmq_msg_t()
        zmq_msg_init(&surplus)
        defer { zmq_msg_close(&surplus) }
        repeat {
            let errno = Message.receive(&surplus, from: socket)
            guard errno == 0 else {
                removeAll()
                return errno
            }
            droppedFrames += 1
        } while zmq_msg_more(&surplus) != 0
        return 0
    }

    /// Sends all frames to `socket` without waiting and empties the message.
    ///
    /// - Returns: 0, or the errno. If sending the first frame failed (`EAGAIN`, `EHOSTUNREACH`, `EFSM`), the message is
    ///   unchanged.
    func send(to socket: UnsafeMutableRawPointer) -> Int32 {
        var failure: Int32 = 0
        for index in 0..<count {
            let flags = index + 1 < count ? ZMQ_DONTWAIT | ZMQ_SNDMORE : ZMQ_DONTWAIT
            while zmq_msg_send(slots + index, socket, flags) < 0 {
                let errno = zmq_errno()
                if errno == EINTR { continue }
                if index == 0 { return errno }
                // The high-water mark counts whole messages, so EAGAIN after the first frame means that the peer has
                // gone in between. libzmq has rolled back the frames before and discards the rest up to the last one.
                // The message is lost with its peer, just as it would have been a moment later in the peer's queue.
                if errno != EAGAIN { failure = errno }
                break
            }
            if failure != 0 { break }
        }
        removeAll()
        return failure
    }

    private static func receive(_ slot: UnsafeMutablePointer<zmq_msg_t>, from socket: UnsafeMutableRawPointer) -> Int32
    {
        while zmq_msg_recv(slot, socket, ZMQ_DONTWAIT) < 0 {
            let errno = zmq_errno()
            if errno != EINTR { return errno }
        }
        return 0
    }
}

// @unchecked: between init and deinit only libzmq's own reference count changes, and that is atomic.
/// The payload of one frame, by reference. It outlives its ``Message``, and any thread may use it.
public final class Frame: @unchecked Sendable {
    fileprivate let slot: UnsafeMutablePointer<zmq_msg_t>

    fileprivate init(sharing source: UnsafeMutablePointer<zmq_msg_t>) {
        slot = .allocate(capacity: 1)
        zmq_msg_init(slot)
        zmq_msg_copy(slot, source)
    }

    /// Creates a frame with a copy of `bytes`.
    public init(_ bytes: UnsafeRawBufferPointer) {
        slot = .allocate(capacity: 1)
        guard zmq_msg_init_size(slot, bytes.count) == 0 else { fatalError("no memory for \(bytes.count) bytes") }
        if let source = bytes.baseAddress, bytes.count > 0 { memcpy(zmq_msg_data(slot), source, bytes.count) }
    }

    deinit {
        zmq_msg_close(slot)
        slot.deallocate()
    }

    /// The size in bytes.
    public var byteCount: Int { zmq_msg_size(slot) }

    /// Calls `body` with the bytes, which are valid only during the call.
    ///
    /// - Throws: Whatever `body` throws.
    @inlinable
    public func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        defer { withExtendedLifetime(self) {} }
        return try body(bytes)
    }

    @usableFromInline
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: zmq_msg_data(slot), count: zmq_msg_size(slot))
    }
}
