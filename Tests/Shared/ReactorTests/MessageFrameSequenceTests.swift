import BifronsWire
import BifronsZeroMQ
import Reactor
import Testing

@Suite struct MessageFrameSequenceTests {
    @Test func aMessageIsReadLikeAnArrayOfFrames() {
        let frames: [[UInt8]] = [[], [1, 2, 3], [UInt8](repeating: 7, count: 50_000)]
        let message = Message()
        for frame in frames { message.append(frame) }
        #expect(read(message) == frames)
        #expect(read(frames) == frames)
    }

    private func read(_ frames: some FrameSequence) -> [[UInt8]] {
        (0..<frames.count).map { index in
            let bytes = frames.withBytes(at: index) { Array($0) }
            return bytes.count == frames.byteCount(at: index) ? bytes : []
        }
    }
}
