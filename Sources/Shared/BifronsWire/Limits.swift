/// The limits of both protocols.
public enum Limits {
    /// The first frame of a version 1 request and of its reply.
    public static let magic = "BIFRONS1"
    /// The common prefix of all versions' magic, so that an error can say that the request has another version.
    static let magicFamily = "BIFRONS"
    /// The most bytes of a frame that is taken for the magic of some version, and not for an image.
    static let magicFamilyBytes = 16

    /// The most frames of an envelope, including the empty delimiter.
    public static let envelopeFrames = 8
    /// The most bytes of all frames of an envelope. Replies echo them, and many replies may wait for a client that does
    /// not read.
    public static let envelopeBytes = 4096
    /// The most frames of a request after its envelope: magic, header, image.
    public static let requestFrames = 3
    /// The most frames that a ROUTER socket delivers for one request: the peer's routing id, envelope and request.
    public static let clientMessageFrames = 1 + envelopeFrames + requestFrames

    /// The most bytes of a header frame.
    public static let headerBytes = 65_536
    /// The most levels of nested objects and arrays in a header.
    public static let headerDepth = 32
    /// The most bytes of an `id`, an `idempotency_key` or an `owner`, in UTF-8.
    public static let identifierBytes = 128
    /// The most bytes of `metadata` as written in the header.
    public static let metadataBytes = 4096
    /// The most entries of `models`.
    public static let modelsAsked = 16
    /// The most bytes of a model's or a policy's name.
    public static let nameBytes = 64
    /// The range of `budget_ms`.
    public static let budgetMilliseconds = 1...600_000
    /// The default of `budget_ms`, in milliseconds.
    public static let defaultBudgetMilliseconds = 5000
    /// The range of `priority`. The highest goes first.
    public static let priorities = 0...9
    /// The default of `priority`.
    public static let defaultPriority = 4
    /// The default of `policy`.
    public static let defaultPolicy = "default"
    /// The default limit of an image's bytes.
    public static let imageBytes = 20_000_000
    /// The bytes by which a client's frame may exceed the image limit and still be answered with 413. With more, libzmq
    /// drops the connection.
    public static let frameSlackBytes = 4 << 20

    /// The version byte that opens every message between router and worker.
    public static let workerProtocolVersion: UInt8 = 5
    /// The most crop specifications of one job, and so the most frames after a CROPS.
    public static let cropSets = 8
    /// The most frames of a message between router and worker: the message and its payload.
    public static let workerMessageFrames = 1 + cropSets
    /// The most jobs that one worker may have in flight, whatever credit it claims.
    public static let workerCredit = 256
    /// The most faces of one image that are cut out and scored.
    public static let faces = 16
    /// The most bytes of the crops of one image for one specification, all faces together.
    public static let cropSetBytes = 64 << 20
    /// The range of a crop's margin: the side of its square divided by the longer side of the face's bounding box.
    public static let cropMargins = 1.0...4.0
    /// The range of a face's turn, in tenths of a degree clockwise.
    static let turnTenths: ClosedRange<Int16> = -1799...1800
    /// The most cells of a heat map across, and down.
    public static let mapSide = 16
    /// The most bytes of an EVIDENCE's report, as JSON text.
    public static let evidenceReportBytes = 4096
    /// The most bytes of a text in evidence that comes out of an image file.
    public static let evidenceTextBytes = 128
    /// The most status codes of one manifest's validation.
    public static let validationCodes = 32
    /// The most matches of one image with known images.
    public static let knownMatches = 24
    /// The range of the distance between two perceptual hashes, in bits.
    static let hashDistances = 0...256
    /// The range of a perceptual hash's quality.
    static let hashQualities = 0...100
    /// The most metrics of a HELLO.
    public static let metrics = 32
    /// The most bytes of the reason in a FAIL or a BYE.
    public static let reasonBytes = 1024
    /// The most bytes of the first frame of a message from a worker.
    public static let workerFrameBytes = 8192
}
