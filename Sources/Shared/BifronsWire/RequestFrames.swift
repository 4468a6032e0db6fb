/// The position of envelope, header and image among the frames of a client's message.
///
/// Total: every sequence of frames gives a layout or an error that can be answered.
public struct RequestFrames: Equatable, Sendable {
    /// The form of a request.
    public enum Form: Equatable, Sendable {
        /// The frames "BIFRONS1", header and, optionally, image.
        case version1
        /// The image alone. The reply is the result alone.
        case bare
    }

    /// The number of frames of the envelope, with which the reply must begin.
    public var envelopeCount: Int
    /// The form of the request.
    public var form: Form
    /// The index of the header frame; nil in the bare form.
    public var header: Int?
    /// The index of the image frame; nil without one.
    public var image: Int?

    /// A malformed message, with what is needed to answer it.
    public struct Malformed: Error, Equatable, Sendable {
        /// The number of frames of the envelope, with which the reply must begin.
        public var envelopeCount: Int
        /// The form that the reply must have.
        public var form: Form
        /// The error to answer with.
        public var error: WireError
    }

    /// Returns whether the message is the single empty frame that `ZMQ_PROBE_ROUTER` sends on connecting. It asks for
    /// nothing.
    ///
    /// The parameters are those of ``locate(in:dropped:)``.
    public static func isProbe(_ frames: some FrameSequence, dropped: Int = 0) -> Bool {
        frames.count == 1 && dropped == 0 && frames.byteCount(at: 0) == 0
    }

    /// Finds the parts of a client's message.
    ///
    /// - Parameters:
    ///   - frames: the frames after the routing id that a ROUTER socket prepends.
    ///   - dropped: the number of frames that the receiver discarded because no request has so many.
    /// - Throws: ``Malformed``, with the error to answer with.
    public static func locate(in frames: some FrameSequence, dropped: Int = 0) throws(Malformed) -> RequestFrames {
        guard frames.count > 0 else { throw malformed(0, .version1, "a request needs at least one frame") }
        if isMagic(frames, at: 0) {
            return try version1(frames, envelopeCount: 0, dropped: dropped)
        }
        if isOtherVersion(frames, at: 0) { throw wrongMagic(frames, at: 0, envelopeCount: 0) }
        let searched = min(frames.count, Limits.envelopeFrames)
        guard let delimiter = (0..<searched).first(where: { frames.byteCount(at: $0) == 0 }) else {
            if frames.count + dropped == 1 {
                return RequestFrames(envelopeCount: 0, form: .bare, header: nil, image: 0)
            }
            if frames.count + dropped > Limits.envelopeFrames {
                throw malformed(
                    0, .version1,
                    "the envelope has no empty frame among its first \(Limits.envelopeFrames), the most it may have")
            }
            throw wrongMagic(frames, at: 0, envelopeCount: 0)
        }
        let body = delimiter + 1
        let envelopeBytes = (0..<delimiter).reduce(0) { $0 + frames.byteCount(at: $1) }
        guard envelopeBytes <= Limits.envelopeBytes else {
            // An envelope that is too long to keep for the reply is not echoed either.
            throw malformed(
                0, .version1,
                "the envelope has \(envelopeBytes) bytes; at most \(Limits.envelopeBytes) are echoed")
        }
        switch frames.count - body {
        case 0:
            throw malformed(body, .bare, "the request ends with its empty delimiter frame; send the image behind it")
        case 1 where !isMagic(frames, at: body) && !isOtherVersion(frames, at: body):
            return RequestFrames(envelopeCount: body, form: .bare, header: nil, image: body)
        default:
            guard isMagic(frames, at: body) else {
                throw wrongMagic(frames, at: body, envelopeCount: body)
            }
            return try version1(frames, envelopeCount: body, dropped: dropped)
        }
    }

    private static func version1(
        _ frames: some FrameSequence, envelopeCount: Int, dropped: Int
    ) throws(Malformed) -> RequestFrames {
        let count = frames.count - envelopeCount + dropped
        guard count <= Limits.requestFrames else {
            throw malformed(
                envelopeCount, .version1,
                "the request has \(count) frames behind its envelope; it takes \(Limits.magic), header and one image")
        }
        guard count >= 2 else {
            throw malformed(envelopeCount, .version1, "the header frame behind \(Limits.magic) is missing")
        }
        let header = envelopeCount + 1
        return RequestFrames(
            envelopeCount: envelopeCount, form: .version1, header: header, image: count == 3 ? header + 1 : nil)
    }

    private static func isMagic(_ frames: some FrameSequence, at index: Int) -> Bool {
        frames.byteCount(at: index) == Limits.magic.utf8.count
            && frames.withBytes(at: index) { $0.elementsEqual(Limits.magic.utf8) }
    }

    private static func isOtherVersion(_ frames: some FrameSequence, at index: Int) -> Bool {
        frames.byteCount(at: index) <= Limits.magicFamilyBytes
            && frames.withBytes(at: index) { $0.starts(with: Limits.magicFamily.utf8) }
            && !isMagic(frames, at: index)
    }

    private static func wrongMagic(_ frames: some FrameSequence, at index: Int, envelopeCount: Int) -> Malformed {
        let problem =
            isOtherVersion(frames, at: index)
            ? "the request speaks another version of the protocol; this router speaks \(Limits.magic)"
            : "the first frame behind the envelope is not \(Limits.magic)"
        return malformed(envelopeCount, .version1, problem)
    }

    private static func malformed(_ envelopeCount: Int, _ form: Form, _ problem: String) -> Malformed {
        Malformed(
            envelopeCount: envelopeCount, form: form,
            error: WireError(.badRequest, code: "malformed_frames", problem))
    }
}
