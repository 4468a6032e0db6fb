import BifronsZeroMQ
import Testing

@Suite struct MessageTests {
    /// Around 33 bytes libzmq changes from frames inside `zmq_msg_t` to frames outside.
    static let sizes = Array(0...40) + [255, 256, 8_191, 8_192, 100_000]

    static func pattern(_ size: Int) -> [UInt8] { (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ size) } }

    @Test func framesOfEverySizeKeepTheirBytes() {
        let message = Message()
        for size in Self.sizes { message.append(Self.pattern(size)) }
        #expect(message.count == Self.sizes.count)
        #expect(message.arrays == Self.sizes.map(Self.pattern))
        #expect(Self.sizes.indices.map(message.byteCount) == Self.sizes)
        #expect(message.totalBytes == Self.sizes.reduce(0, +))
    }

    @Test func sharedFramesKeepTheirBytesAfterTheOriginalIsEmptied() {
        let original = Message()
        for size in Self.sizes { original.append(Self.pattern(size)) }
        let shared = Message()
        shared.append("head")
        shared.appendFrames(sharing: original, 0..<original.count)
        original.removeAll()
        original.append([UInt8](repeating: 0xEE, count: 100_000))
        #expect(shared.arrays == [Array("head".utf8)] + Self.sizes.map(Self.pattern))
    }

    @Test func sharingALargeFrameDoesNotCopyIt() {
        let original = Message()
        original.append(Self.pattern(100_000))
        let shared = Message()
        shared.append(sharing: original, at: 0)
        let frame = original.frame(at: 0)
        let addresses = (
            original.withBytes(at: 0) { $0.baseAddress }, shared.withBytes(at: 0) { $0.baseAddress },
            frame.withBytes { $0.baseAddress }
        )
        #expect(addresses.0 == addresses.1)
        #expect(addresses.0 == addresses.2)
    }

    @Test func aMessageMayShareItsOwnFramesWhileItGrows() {
        let message = Message()
        message.append(Self.pattern(20))
        message.append(Self.pattern(200))
        for _ in 0..<30 { message.append(sharing: message, at: message.count - 2) }
        #expect(message.count == 32)
        #expect((0..<32).allSatisfy { message.array(at: $0) == Self.pattern($0 % 2 == 0 ? 20 : 200) })
    }

    @Test func anEmptiedMessageCanBeFilledAgain() {
        let message = Message()
        for round in 0..<100 {
            message.removeAll()
            #expect(message.isEmpty)
            for frame in 0..<(round % 20) { message.append(Self.pattern(frame * 7)) }
            #expect(message.count == round % 20)
        }
        #expect(message.array(at: 18) == Self.pattern(18 * 7))
    }

    @Test func framesAreWrittenInPlace() {
        let message = Message()
        message.append(byteCount: 1000) { bytes in for index in bytes.indices { bytes[index] = UInt8(index % 251) } }
        message.append(byteCount: 0) { #expect($0.count == 0) }
        message.appendEmpty()
        message.append("grüße")
        #expect(message.array(at: 0) == (0..<1000).map { UInt8($0 % 251) })
        #expect(message.strings.dropFirst() == ["", "", "grüße"])
    }

    @Test func errorsThrownByTheClosureKeepTheirType() {
        struct Refused: Error {}
        let message = Message(["x"])
        do throws(Refused) {
            try message.withBytes(at: 0) { (_: UnsafeRawBufferPointer) throws(Refused) -> Void in throw Refused() }
            Issue.record("no error")
        } catch {}
    }

    @Test func aFrameOutlivesItsMessageAndIsReadableOnOtherThreads() throws {
        for size in Self.sizes {
            let frame = {
                let message = Message()
                message.append(Self.pattern(size))
                return message.frame(at: 0)
            }()
            #expect(frame.byteCount == size)
            try onAnotherThread {
                #expect(frame.withBytes { Array($0) } == Self.pattern(size))
            } meanwhile: {
                let message = Message()
                message.append(frame)
                #expect(message.array(at: 0) == Self.pattern(size))
            }
        }
    }

    @Test func aFrameCanBeMadeFromBytes() {
        for size in Self.sizes {
            let frame = Self.pattern(size).withUnsafeBytes { Frame($0) }
            #expect(frame.withBytes { Array($0) } == Self.pattern(size))
        }
    }

    @Test func aMessageThatWasNotReceivedHasNoSource() {
        #expect(Message().sourceDescriptor == nil)
        #expect(Message(["a"]).sourceDescriptor == nil)
    }
}
