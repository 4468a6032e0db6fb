/// Every bound of the two protocols, each in one place.
public enum Limits {
    /// The first frame of a version 1 request and of its reply.
    public static let magic = "BIFRONS1"
    /// What every version's magic begins with, so that another version is named in the error.
    static let magicFamily = "BIFRONS"
    /// Bytes of the longest frame that is taken for some version's magic, and not for an image.
    static let magicFamilyBytes = 16

    /// Frames of an envelope, the empty delimiter included.
    public static let envelopeFrames = 8
    /// Bytes of all its frames. Replies echo them, and a client that reads nothing lets many replies wait.
    public static let envelopeBytes = 4096
    /// Frames of a request behind its envelope: magic, header, image.
    public static let requestFrames = 3
    /// Frames that a ROUTER socket can hand over for one request: the peer's routing id, envelope, request.
    public static let clientMessageFrames = 1 + envelopeFrames + requestFrames

    /// Bytes of a header frame.
    public static let headerBytes = 65_536
    /// How deep objects and arrays may nest in a header.
    public static let headerDepth = 32
    /// Bytes of an `id`, an `idempotency_key` or an `owner`, in UTF-8.
    public static let identifierBytes = 128
    /// Bytes of `metadata` as it stands in the header.
    public static let metadataBytes = 4096
    /// Entries of `models`.
    public static let modelsAsked = 16
    /// Bytes of a model's or a policy's name.
    public static let nameBytes = 64
    /// The range of `budget_ms`.
    public static let budgetMilliseconds = 1...600_000
    public static let defaultBudgetMilliseconds = 5000
    /// The range of `priority`; the highest goes first.
    public static let priorities = 0...9
    public static let defaultPriority = 4
    /// Bytes of an image, unless a setting says otherwise.
    public static let imageBytes = 20_000_000
    /// What a client's frame may have over the image limit before libzmq drops the connection instead of the router
    /// answering 413.
    public static let frameSlackBytes = 4 << 20

    /// The version byte that opens every frame between router and worker.
    public static let workerProtocolVersion: UInt8 = 4
    /// Crop specifications that one job may ask of a locator, and so the frames behind a CROPS.
    public static let cropSets = 8
    /// Frames of a message between router and worker: the message and what comes behind it.
    public static let workerMessageFrames = 1 + cropSets
    /// The most jobs that a router leaves in one worker's hands, whatever credit the worker claims.
    public static let workerCredit = 256
    /// Faces of one picture that are cut out and scored.
    public static let faces = 16
    /// Bytes of the crops of one picture for one specification, all faces together.
    public static let cropSetBytes = 64 << 20
    /// The range of a crop's margin: how many times the longer side of a face's box its square's side is.
    public static let cropMargins = 1.0...4.0
    /// By how much a face may stand turned, in tenths of a degree clockwise.
    static let turnTenths: ClosedRange<Int16> = -1799...1800
    /// Cells of a heat map, across and down.
    public static let mapSide = 16
    /// Metrics that a HELLO may carry.
    public static let metrics = 32
    /// Bytes of the reason in a FAIL or a BYE.
    public static let reasonBytes = 1024
    /// Bytes of the first frame of any message from a worker.
    public static let workerFrameBytes = 8192
    /// Workers that one step of a job may be handed to.
    public static let executionsPerStep = 2
}
