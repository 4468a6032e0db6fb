// The encoding between router and worker: a version byte, a type byte, then the fields in order. Integers are
// little-endian; strings are a 16-bit count followed by UTF-8. A SCORE job has 15 bytes, so libzmq stores it inside its
// message struct.

private enum Tag {
    static let hello: UInt8 = 1
    static let score: UInt8 = 2
    static let fail: UInt8 = 3
    static let ping: UInt8 = 4
    static let credit: UInt8 = 5
    static let drain: UInt8 = 6
    static let bye: UInt8 = 7
    static let crops: UInt8 = 8
    static let evidence: UInt8 = 9
    static let welcome: UInt8 = 65
    static let locate: UInt8 = 66
    static let pong: UInt8 = 67
    static let resync: UInt8 = 68
    static let routerBye: UInt8 = 69
    static let scoreCrops: UInt8 = 70
    static let examine: UInt8 = 71
}

extension WorkerMessage {
    /// Returns the message's first frame.
    public func encoded() -> [UInt8] {
        var out = BinaryWriter()
        switch self {
        case .hello(let hello):
            out.header(Tag.hello)
            out.write(hello.role)
            out.string(hello.model, limit: Limits.nameBytes)
            out.string(hello.version, limit: Limits.nameBytes)
            out.string(hello.digest, limit: Limits.identifierBytes)
            out.string(hello.worker, limit: Limits.nameBytes)
            out.integer(hello.credit)
            out.integer(hello.bootID)
            let metrics = hello.metrics.sorted { $0.key < $1.key }.prefix(Limits.metrics)
            out.integer(UInt8(metrics.count))
            for (name, value) in metrics {
                out.string(name, limit: Limits.nameBytes)
                out.integer(value.bitPattern)
            }
            out.write(hello.sandbox)
        case .crops(let crops):
            out.header(Tag.crops)
            out.integer(crops.epoch)
            out.integer(crops.job)
            out.write(crops)
        case .score(let score):
            out.header(Tag.score)
            out.integer(score.epoch)
            out.integer(score.job)
            out.write(score)
        case .evidence(let evidence):
            out.header(Tag.evidence)
            out.integer(evidence.epoch)
            out.integer(evidence.job)
            out.write(evidence)
        case .fail(let failure):
            out.header(Tag.fail)
            out.integer(failure.epoch)
            out.integer(failure.job)
            out.integer(UInt16(clamping: failure.error.status.rawValue))
            out.string(failure.error.code, limit: Limits.nameBytes)
            out.string(failure.error.message, limit: Limits.reasonBytes)
        case .ping(let epoch, let inFlight, let progress):
            out.header(Tag.ping)
            out.integer(epoch)
            out.integer(inFlight)
            out.integer(progress)
        case .credit(let epoch, let jobs):
            out.header(Tag.credit)
            out.integer(epoch)
            out.integer(jobs)
        case .drain(let epoch):
            out.header(Tag.drain)
            out.integer(epoch)
        case .bye(let epoch):
            out.header(Tag.bye)
            out.integer(epoch)
        }
        return out.bytes
    }

    /// Decodes the first frame of a message from a worker. Total: any bytes give a message or an error.
    ///
    /// - Throws: ``MalformedMessage`` for bytes that are not such a message.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(MalformedMessage) -> WorkerMessage {
        guard bytes.count <= Limits.workerFrameBytes else {
            throw MalformedMessage(reason: "\(bytes.count) bytes, more than \(Limits.workerFrameBytes)")
        }
        var input = BinaryReader(bytes)
        let message: WorkerMessage
        switch try input.header() {
        case Tag.hello:
            message = .hello(
                Hello(
                    role: try input.role(), model: try input.string(limit: Limits.nameBytes),
                    version: try input.string(limit: Limits.nameBytes),
                    digest: try input.string(limit: Limits.identifierBytes),
                    worker: try input.string(limit: Limits.nameBytes),
                    credit: try input.integer(), bootID: try input.integer(), metrics: try input.metrics(),
                    sandbox: try input.sandbox()))
        case Tag.crops:
            message = .crops(try input.crops(epoch: try input.integer(), job: try input.integer()))
        case Tag.score:
            message = .score(try input.score(epoch: try input.integer(), job: try input.integer()))
        case Tag.evidence:
            message = .evidence(try input.evidence(epoch: try input.integer(), job: try input.integer()))
        case Tag.fail:
            message = .fail(
                Failure(
                    epoch: try input.integer(), job: try input.integer(),
                    error: WireError(
                        Status(rawValue: Int(try input.integer(UInt16.self))),
                        code: try input.string(limit: Limits.nameBytes),
                        try input.string(limit: Limits.reasonBytes))))
        case Tag.ping:
            message = .ping(epoch: try input.integer(), inFlight: try input.integer(), progress: try input.integer())
        case Tag.credit: message = .credit(epoch: try input.integer(), jobs: try input.integer())
        case Tag.drain: message = .drain(epoch: try input.integer())
        case Tag.bye: message = .bye(epoch: try input.integer())
        case let tag: throw MalformedMessage(reason: "unknown type \(tag)")
        }
        try input.end()
        return message
    }
}

extension RouterMessage {
    /// Returns the message's first frame.
    public func encoded() -> [UInt8] {
        var out = BinaryWriter()
        switch self {
        case .welcome(let epoch, let heartbeat):
            out.header(Tag.welcome)
            out.integer(epoch)
            out.integer(heartbeat)
        case .locate(let job, let specifications):
            out.header(Tag.locate)
            out.write(job)
            let specifications = specifications.prefix(Limits.cropSets)
            out.integer(UInt8(specifications.count))
            for specification in specifications { out.write(specification) }
        case .score(let job):
            out.header(Tag.scoreCrops)
            out.write(job)
        case .examine(let job):
            out.header(Tag.examine)
            out.write(job)
        case .pong(let epoch):
            out.header(Tag.pong)
            out.integer(epoch)
        case .resync: out.header(Tag.resync)
        case .bye(let reason, let isFinal):
            out.header(Tag.routerBye)
            out.string(reason, limit: Limits.reasonBytes)
            out.integer(UInt8(isFinal ? 1 : 0))
        }
        return out.bytes
    }

    /// Returns the answer to a worker of another protocol version: a BYE encoded so that every version so far can read
    /// it, at least in part. It names the router's release, for the worker's log.
    public static func refusal(ofVersion version: UInt8) -> [UInt8] {
        var out = BinaryWriter()
        out.header(Tag.routerBye, version: version)
        out.string(
            "this router speaks version \(Limits.workerProtocolVersion) of the worker protocol and the worker version "
                + "\(version); run workers of the router's release, \(Release.version)",
            limit: Limits.reasonBytes)
        // Version 4 added the flag of a final BYE.
        if version >= 4 { out.integer(UInt8(1)) }
        return out.bytes
    }

    /// Decodes the first frame of a message from a router. Total: any bytes give a message or an error.
    ///
    /// - Throws: ``MalformedMessage`` for bytes that are not such a message.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(MalformedMessage) -> RouterMessage {
        var input = BinaryReader(bytes)
        let message: RouterMessage
        switch try input.header() {
        case Tag.welcome: message = .welcome(epoch: try input.integer(), heartbeatMilliseconds: try input.integer())
        case Tag.locate: message = .locate(try input.job(), try input.specifications())
        case Tag.scoreCrops: message = .score(try input.job())
        case Tag.examine: message = .examine(try input.job())
        case Tag.pong: message = .pong(epoch: try input.integer())
        case Tag.resync: message = .resync
        case Tag.routerBye:
            message = .bye(reason: try input.string(limit: Limits.reasonBytes), isFinal: try input.flag())
        case let tag: throw MalformedMessage(reason: "unknown type \(tag)")
        }
        try input.end()
        return message
    }
}
