/// The frames of one message, however they are stored: the decoders need not know about sockets.
public protocol FrameSequence {
    /// How many frames there are.
    var count: Int { get }

    /// Returns the bytes of frame `index`.
    func byteCount(at index: Int) -> Int

    /// Calls `body` with the bytes of frame `index`, which are valid only during the call.
    func withBytes<Result>(at index: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result
}

extension [[UInt8]]: FrameSequence {
    /// Bytes of frame `index`.
    public func byteCount(at index: Int) -> Int {
        self[index].count
    }

    /// The bytes of frame `index`, valid for the length of the call only.
    public func withBytes<Result>(at index: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        self[index].withUnsafeBytes(body)
    }
}
