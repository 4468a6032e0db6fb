import Testing

@testable import BifronsWire

struct RequestFramesTests {
    private let requestID = "\u{1}\u{2}\u{3}\u{4}"

    private func frames(_ texts: [String]) -> [[UInt8]] {
        texts.map { Array($0.utf8) }
    }

    private func locate(_ texts: String..., dropped: Int = 0) throws -> RequestFrames {
        try RequestFrames.locate(in: frames(texts), dropped: dropped)
    }

    private func malformed(_ texts: [String], dropped: Int = 0) throws -> RequestFrames.Malformed {
        let malformed = try #require(throws: RequestFrames.Malformed.self) {
            try RequestFrames.locate(in: frames(texts), dropped: dropped)
        }
        #expect(malformed.error.status == .badRequest)
        #expect(malformed.error.code == "malformed_frames")
        return malformed
    }

    @Test func onlyASingleEmptyFrameIsAProbe() {
        #expect(RequestFrames.isProbe(frames([""])))
        for other in [[], ["", ""], ["a"], ["", "BIFRONS1", "{}"]] { #expect(!RequestFrames.isProbe(frames(other))) }
        #expect(!RequestFrames.isProbe(frames([""]), dropped: 1))
    }

    @Test func theEnvelopeOfAREQSocketIsOneEmptyFrame() throws {
        #expect(
            try locate("", "BIFRONS1", "{}", "image")
                == RequestFrames(envelopeCount: 1, form: .version1, header: 2, image: 3))
    }

    @Test func theEnvelopeOfACorrelatedREQSocketIsAnIDAndAnEmptyFrame() throws {
        #expect(
            try locate(requestID, "", "BIFRONS1", "{}", "image")
                == RequestFrames(envelopeCount: 2, form: .version1, header: 3, image: 4))
    }

    @Test func aDealerMayOmitTheDelimiter() throws {
        #expect(
            try locate("BIFRONS1", "{}", "image")
                == RequestFrames(envelopeCount: 0, form: .version1, header: 1, image: 2))
    }

    @Test func aHeaderWithoutAnImageIsACompleteRequest() throws {
        #expect(
            try locate("BIFRONS1", "{}") == RequestFrames(envelopeCount: 0, form: .version1, header: 1, image: nil))
        #expect(
            try locate("", "BIFRONS1", "{}") == RequestFrames(envelopeCount: 1, form: .version1, header: 2, image: nil))
    }

    @Test func emptyFramesAfterTheMagicAreNotADelimiter() throws {
        #expect(
            try locate("BIFRONS1", "", "") == RequestFrames(envelopeCount: 0, form: .version1, header: 1, image: 2))
        #expect(
            try locate("", "BIFRONS1", "{}", "")
                == RequestFrames(envelopeCount: 1, form: .version1, header: 2, image: 3))
    }

    @Test func oneFrameIsABareImage() throws {
        #expect(try locate("image") == RequestFrames(envelopeCount: 0, form: .bare, header: nil, image: 0))
        #expect(try locate("", "image") == RequestFrames(envelopeCount: 1, form: .bare, header: nil, image: 1))
        #expect(
            try locate(requestID, "", "image") == RequestFrames(envelopeCount: 2, form: .bare, header: nil, image: 2))
    }

    @Test(arguments: 1...8) func envelopeMayHaveUpToEightFrames(count: Int) throws {
        let envelope = Array(repeating: "hop", count: count - 1) + [""]
        #expect(
            try RequestFrames.locate(in: frames(envelope + ["BIFRONS1", "{}", "image"]))
                == RequestFrames(envelopeCount: count, form: .version1, header: count + 1, image: count + 2))
        #expect(
            try RequestFrames.locate(in: frames(envelope + ["image"]))
                == RequestFrames(envelopeCount: count, form: .bare, header: nil, image: count))
    }

    /// The frames as a receiver delivers them that keeps no more than a request can have.
    @Test(arguments: [(["BIFRONS1", "{}", "image"], 1), (["BIFRONS1", "{}"], 0), (["image"], 0)])
    func nineEnvelopeFramesAreTooMany(body: [String], dropped: Int) throws {
        let kept = Array((Array(repeating: "hop", count: 8) + [""] + body).prefix(Limits.clientMessageFrames - 1))
        let malformed = try malformed(kept, dropped: dropped)
        #expect(malformed.envelopeCount == 0)
        #expect(malformed.form == .version1)
        #expect(malformed.error.message.contains("empty frame among its first 8"))
    }

    @Test func aLongEnvelopeIsNotEchoed() throws {
        let half = String(repeating: "x", count: Limits.envelopeBytes / 2)
        for body in [["BIFRONS1", "{}", "image"], ["image"], []] {
            let malformed = try malformed([half, half, "x", ""] + body)
            #expect(malformed.envelopeCount == 0)
            #expect(malformed.form == .version1)
            #expect(malformed.error.message.contains("4097 bytes; at most 4096"))
        }
        #expect(try locate(half, half, "", "image").envelopeCount == 3)
    }

    @Test func noFrameAtAllIsMalformed() throws {
        #expect(try malformed([]).envelopeCount == 0)
    }

    @Test func anEmptyFrameAloneIsAnEnvelopeWithoutARequest() throws {
        let alone = try malformed([""])
        #expect(alone.envelopeCount == 1)
        #expect(alone.form == .bare)
        #expect(try malformed([requestID, ""]).envelopeCount == 2)
    }

    @Test func magicWithoutAHeaderIsMalformed() throws {
        let malformed = try malformed(["", "BIFRONS1"])
        #expect(malformed.envelopeCount == 1)
        #expect(malformed.form == .version1)
        #expect(malformed.error.message.contains("header frame"))
        #expect(try self.malformed(["BIFRONS1"]).envelopeCount == 0)
    }

    @Test func aFourthFrameIsTooMany() throws {
        #expect(try malformed(["BIFRONS1", "{}", "image", "more"]).error.message.contains("4 frames"))
        #expect(try malformed(["", "BIFRONS1", "{}", "image", "more"]).envelopeCount == 1)
    }

    @Test func framesDroppedByTheReceiverAreCounted() throws {
        let malformed = try malformed(["", "BIFRONS1", "{}", "image"] + Array(repeating: "x", count: 7), dropped: 90)
        #expect(malformed.error.message.contains("100 frames"))
        #expect(malformed.envelopeCount == 1)
        #expect(try self.malformed(["image"], dropped: 1).envelopeCount == 0)
    }

    @Test func aWrongMagicIsReported() throws {
        let withDelimiter = try malformed(["", "HELLO", "{}", "image"])
        #expect(withDelimiter.envelopeCount == 1)
        #expect(withDelimiter.error.message.contains("is not BIFRONS1"))
        #expect(try malformed(["HELLO", "{}", "image"]).envelopeCount == 0)
        #expect(try malformed(["", "bifrons1", "{}", "image"]).error.message.contains("is not BIFRONS1"))
        #expect(try malformed([requestID, "BIFRONS1", "{}", "image"]).envelopeCount == 0)
    }

    @Test(arguments: ["BIFRONS2", "BIFRONS", "BIFRONS10", "BIFRONS1 "])
    func theMagicOfAnotherVersionIsReportedAsSuch(magic: String) throws {
        for body in [[magic], [magic, "{}"], [magic, "{}", "image"], [magic, "{}", ""]] {
            let plain = try malformed(body)
            #expect(plain.error.message.contains("another version"))
            #expect(plain.envelopeCount == 0)
            let enveloped = try malformed([""] + body)
            #expect(enveloped.error.message.contains("another version"))
            #expect(enveloped.envelopeCount == 1)
        }
    }

    @Test func aLongImageThatBeginsLikeTheMagicIsAnImage() throws {
        #expect(try locate("BIFRONS1 is the name of this image").form == .bare)
    }

    @Test func everyShapeOfUpToSixFramesGivesALayoutInsideTheMessageOrAnError() {
        let kinds = ["", "BIFRONS1", "BIFRONS2", "x"]
        for count in 0...6 {
            for choice in 0..<Int(1 << (2 * count)) {
                let message = frames((0..<count).map { kinds[choice >> (2 * $0) & 3] })
                do {
                    let found = try RequestFrames.locate(in: message)
                    let parts = [found.header, found.image].compactMap(\.self)
                    #expect(parts.allSatisfy { $0 >= found.envelopeCount && $0 < count })
                    #expect(found.envelopeCount <= Limits.envelopeFrames)
                } catch {
                    #expect(error.envelopeCount <= min(count, Limits.envelopeFrames))
                }
            }
        }
    }
}
