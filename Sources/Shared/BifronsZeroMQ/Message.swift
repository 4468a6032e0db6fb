import CZeroMQ
import Glibc

/// A multipart message: a row of frames, each a `zmq_msg_t` that this object owns and closes exactly once.
///
/// Made to be reused: ``Socket/receive(into:maxFrames:)`` and ``Socket/send(_:)`` fill and empty it without allocating once it
/// has room for the frames. Frames of up to 33 bytes live inside their slot, so bytes are lent only for the length of a
/// closure. Not for two threads at once; to hand a payload to another thread take a ``Frame``.
public final class Message {
    // Slots [0, count) are initialised messages, the rest is raw memory.
    private var slots: UnsafeMutablePointer<zmq_msg_t>
    private var capacity: Int

    /// The number of frames held.
    public private(set) var count = 0

    /// How many frames the last ``Socket/receive(into:maxFrames:)`` read and discarded beyond its `maxFrames`.
    public private(set) var droppedFrames = 0

    /// An empty message.
    public init() {
        capacity = 8
        slots = .allocate(capacity: capacity)
    }

    deinit {
        removeAll()
        slots.deallocate()
    }

    /// Whether there are no frames.
    public var isEmpty: Bool { count == 0 }

    /// The sum of the frames' sizes in bytes.
    public var totalBytes: Int {
        var total = 0
        for index in 0..<count { total += zmq_msg_size(slots + index) }
        return total
    }

    // MARK: Reading

    /// The size of a frame in bytes.
    public func byteCount(at index: Int) -> Int {
        zmq_msg_size(slot(index))
    }

    /// Lends the bytes of a frame to `body`; they must not be kept.
    @inlinable
    public func withBytes<R, E: Error>(
        at index: Int, _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        // The frame lives in `slots`, which only this object's own mutation could take away: `body` must not mutate it.
        defer { withExtendedLifetime(self) {} }
        return try body(bytes(at: index))
    }

    /// Lends the bytes of a frame to a `body` that does not throw. (The compiler, Swift 6.3, crashes on taking the other
    /// `withBytes` for a protocol's requirement that does not throw.)
    @inlinable
    public func withBytes<R>(at index: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        defer { withExtendedLifetime(self) {} }
        return body(bytes(at: index))
    }

    /// A copy of a frame's bytes; for cold paths and tests.
    public func array(at index: Int) -> [UInt8] {
        [UInt8](bytes(at: index))
    }

    /// A frame as text, malformed UTF-8 repaired; for cold paths and tests.
    public func string(at index: Int) -> String {
        String(decoding: bytes(at: index), as: UTF8.self)
    }

    /// The frame's payload by reference, alive on its own and for any thread.
    public func frame(at index: Int) -> Frame {
        Frame(sharing: slot(index))
    }

    /// The descriptor of the connection that the message was received from (`ZMQ_SRCFD`), which is also the value of that
    /// connection's ``MonitorEvent``s; `nil` for a message that did not come over tcp or ipc.
    ///
    /// Descriptors are reused by later connections. A `disconnected` event is in the monitor's queue before a message of
    /// a later connection with the same descriptor can be received: who maps descriptors to peers drains the monitor
    /// before adding a peer, and then never takes the old connection's end for the new one's.
    public var sourceDescriptor: Int32? {
        guard let slot = lastSlot else { return nil }
        let descriptor = zmq_msg_get(slot, ZMQ_SRCFD)
        return descriptor >= 0 ? descriptor : nil
    }

    /// The user whom the ZAP handler took the sender's connection for (`User-Id`); `nil` without one.
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

    /// Appends a frame of `byteCount` bytes that `fill` writes in place; what it leaves unwritten is undefined.
    public func append(byteCount: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        let slot = appendSlot(byteCount: byteCount)
        fill(UnsafeMutableRawBufferPointer(start: zmq_msg_data(slot), count: byteCount))
    }

    /// Appends a frame of no bytes, such as the delimiter of an envelope.
    public func appendEmpty() {
        _ = appendSlot(byteCount: 0)
    }

    /// Appends a frame of `other` by reference: payloads of more than 33 bytes are not copied, and outlive `other`.
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

    /// Lets go of every frame and keeps the room.
    public func removeAll() {
        for index in 0..<count { zmq_msg_close(slots + index) }
        count = 0
        droppedFrames = 0
    }

    /// Makes room for that many frames.
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

    /// Where the connection's properties are: libzmq gives a ROUTER's first frame, the routing id, none after a poll.
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

    /// Reads one message off `socket` without waiting.
    /// - Returns: 0, or the errno (`EAGAIN`: none there); then the message is empty.
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
        // The rest must be read off, or it would be taken for the beginning of the next message.
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

    /// Hands every frame to `socket` without waiting and empties the message.
    /// - Returns: 0, or the errno; if that is the first frame's (`EAGAIN`, `EHOSTUNREACH`, `EFSM`), the message is untouched.
    func send(to socket: UnsafeMutableRawPointer) -> Int32 {
        var failure: Int32 = 0
        for index in 0..<count {
            let flags = index + 1 < count ? ZMQ_DONTWAIT | ZMQ_SNDMORE : ZMQ_DONTWAIT
            while zmq_msg_send(slots + index, socket, flags) < 0 {
                let errno = zmq_errno()
                if errno == EINTR { continue }
                if index == 0 { return errno }
                // The high-water mark counts whole messages, so EAGAIN past the first frame means that the peer has gone
                // in between. libzmq has rolled back what went before and swallows the frames up to the last one:
                // the message is lost with its peer, as it would have been a moment later in the peer's queue.
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

/// The payload of one frame, by reference: it outlives the ``Message`` it came from and goes to any thread.
// @unchecked: nothing changes the frame between init and deinit except libzmq's own reference count, which is atomic.
public final class Frame: @unchecked Sendable {
    fileprivate let slot: UnsafeMutablePointer<zmq_msg_t>

    fileprivate init(sharing source: UnsafeMutablePointer<zmq_msg_t>) {
        slot = .allocate(capacity: 1)
        zmq_msg_init(slot)
        zmq_msg_copy(slot, source)
    }

    /// A frame with a copy of `bytes`.
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

    /// Lends the bytes to `body`; they must not be kept.
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
