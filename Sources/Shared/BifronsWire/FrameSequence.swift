/// The frames of one message, wherever they live: the codecs read them without knowing about sockets.
public protocol FrameSequence {
    var count: Int { get }

    /// Bytes of frame `index`.
    func byteCount(at index: Int) -> Int

    /// The bytes of frame `index`, valid for the length of the call only.
    func withBytes<Result>(at index: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result
}

extension [[UInt8]]: FrameSequence {
    public func byteCount(at index: Int) -> Int {
        self[index].count
    }

    public func withBytes<Result>(at index: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        self[index].withUnsafeBytes(body)
    }
}
