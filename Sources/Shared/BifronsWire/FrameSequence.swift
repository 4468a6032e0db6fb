/// The frames of one message. The protocol hides how they are stored, so that the decoders are independent of sockets.
public protocol FrameSequence {
    /// The number of frames.
    var count: Int { get }

    /// Returns the number of bytes of frame `index`.
    func byteCount(at index: Int) -> Int

    /// Calls `body` with the bytes of frame `index`, which are valid only during the call.
    func withBytes<Result>(at index: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result
}

extension [[UInt8]]: FrameSequence {
    /// Returns the number of bytes of frame `index`.
    public func byteCount(at index: Int) -> Int {
        self[index].count
    }

    /// Calls `body` with the bytes of frame `index`, which are valid only during the call.
    public func withBytes<Result>(at index: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        self[index].withUnsafeBytes(body)
    }
}
