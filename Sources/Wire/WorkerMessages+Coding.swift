// The encoding between router and worker: a version byte, a type byte, then the fields in order, integers little-endian,
// strings as a 16-bit count and UTF-8. A JOB has 15 bytes, so libzmq keeps it inside the message itself.

private enum Tag {
    static let hello: UInt8 = 1
    static let score: UInt8 = 2
    static let fail: UInt8 = 3
    static let ping: UInt8 = 4
    static let credit: UInt8 = 5
    static let drain: UInt8 = 6
    static let bye: UInt8 = 7
    static let welcome: UInt8 = 65
    static let job: UInt8 = 66
    static let pong: UInt8 = 67
    static let resync: UInt8 = 68
    static let routerBye: UInt8 = 69
}

extension WorkerMessage {
    public func encoded() -> [UInt8] {
        var out = BinaryWriter()
        switch self {
        case .hello(let hello):
            out.header(Tag.hello)
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
        case .score(let score):
            out.header(Tag.score)
            out.integer(score.epoch)
            out.integer(score.job)
            out.write(score)
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

    /// Reads one frame from a worker. Total: any bytes give a message or the reason why not.
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
                    model: try input.string(limit: Limits.nameBytes),
                    version: try input.string(limit: Limits.nameBytes),
                    digest: try input.string(limit: Limits.identifierBytes),
                    worker: try input.string(limit: Limits.nameBytes),
                    credit: try input.integer(), bootID: try input.integer(), metrics: try input.metrics()))
        case Tag.score:
            message = .score(try input.score(epoch: try input.integer(), job: try input.integer()))
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
    public func encoded() -> [UInt8] {
        var out = BinaryWriter()
        switch self {
        case .welcome(let epoch, let heartbeat):
            out.header(Tag.welcome)
            out.integer(epoch)
            out.integer(heartbeat)
        case .job(let job):
            out.header(Tag.job)
            out.integer(job.job)
            out.integer(job.attempt)
            out.integer(job.remainingMilliseconds)
        case .pong(let epoch):
            out.header(Tag.pong)
            out.integer(epoch)
        case .resync: out.header(Tag.resync)
        case .bye(let reason):
            out.header(Tag.routerBye)
            out.string(reason, limit: Limits.reasonBytes)
        }
        return out.bytes
    }

    /// Reads one frame from a router. Total: any bytes give a message or the reason why not.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(MalformedMessage) -> RouterMessage {
        var input = BinaryReader(bytes)
        let message: RouterMessage
        switch try input.header() {
        case Tag.welcome: message = .welcome(epoch: try input.integer(), heartbeatMilliseconds: try input.integer())
        case Tag.job:
            message = .job(
                Job(
                    job: try input.integer(), attempt: try input.integer(),
                    remainingMilliseconds: try input.integer()))
        case Tag.pong: message = .pong(epoch: try input.integer())
        case Tag.resync: message = .resync
        case Tag.routerBye: message = .bye(reason: try input.string(limit: Limits.reasonBytes))
        case let tag: throw MalformedMessage(reason: "unknown type \(tag)")
        }
        try input.end()
        return message
    }
}

struct BinaryWriter {
    private(set) var bytes: [UInt8] = []

    mutating func header(_ tag: UInt8) {
        bytes.reserveCapacity(128)
        bytes.append(Limits.workerProtocolVersion)
        bytes.append(tag)
    }

    mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Writes at most `limit` bytes of the text, cut between characters.
    mutating func string(_ text: String, limit: Int) {
        var kept = Substring(text)
        while kept.utf8.count > limit { kept.removeLast() }
        integer(UInt16(kept.utf8.count))
        bytes.append(contentsOf: kept.utf8)
    }

    private mutating func write(_ box: Box) {
        for side in [box.x, box.y, box.width, box.height] { integer(side) }
    }

    mutating func write(_ score: WorkerMessage.Score) {
        let regions = score.regions.prefix(Limits.regions)
        integer(UInt8(regions.count))
        for region in regions {
            integer(UInt8(region.box == nil ? 0 : 1))
            if let box = region.box {
                write(box)
                let tenths = Int16(exactly: ((region.turned ?? 0) * 10).rounded()) ?? 0
                integer(Limits.turnTenths.contains(tenths) ? tenths : 0)
            }
            integer(region.logit.bitPattern)
            integer(UInt8(region.map?.width ?? 0))
            if let map = region.map {
                integer(UInt8(map.height))
                write(map.square)
                bytes.append(contentsOf: map.cells)
            }
        }
        integer(
            score.facesFound.map { UInt16(min($0, Int(BinaryReader.notLookedFor) - 1)) } ?? BinaryReader.notLookedFor)
        integer(UInt8(ImageInformation.Format.allCases.firstIndex(of: score.image.format) ?? 0))
        integer(score.image.width)
        integer(score.image.height)
        bytes.append(contentsOf: score.image.sha256.prefix(BinaryReader.digestBytes))
        integer(score.timings.queueMicroseconds)
        integer(score.timings.computeMicroseconds)
        integer(score.timings.batch)
    }
}

struct BinaryReader {
    static let digestBytes = 32
    /// In place of a count of faces.
    static let notLookedFor = UInt16.max

    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The type byte, behind a version that we speak.
    mutating func header() throws(MalformedMessage) -> UInt8 {
        let version: UInt8 = try integer()
        guard version == Limits.workerProtocolVersion else {
            throw MalformedMessage(reason: "version \(version), not \(Limits.workerProtocolVersion)")
        }
        return try integer()
    }

    mutating func integer<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(MalformedMessage) -> Value {
        let size = MemoryLayout<Value>.size
        let value = try take(size).loadUnaligned(as: Value.self)
        return Value(littleEndian: value)
    }

    mutating func string(limit: Int) throws(MalformedMessage) -> String {
        let count = Int(try integer(UInt16.self))
        guard count <= limit else { throw MalformedMessage(reason: "a text of \(count) bytes, more than \(limit)") }
        guard let text = String(validating: try take(count), as: UTF8.self) else {
            throw MalformedMessage(reason: "a text that is not UTF-8")
        }
        return text
    }

    mutating func score(epoch: UInt64, job: UInt64) throws(MalformedMessage) -> WorkerMessage.Score {
        let count = Int(try integer(UInt8.self))
        guard (1...Limits.regions).contains(count) else { throw MalformedMessage(reason: "\(count) regions") }
        var regions: [WorkerMessage.Region] = []
        for _ in 0..<count {
            var (box, turned): (Box?, Double?) = (nil, nil)
            if try integer(UInt8.self) != 0 {
                box = try self.box()
                turned = try turn()
            }
            let logit = Float(bitPattern: try integer())
            guard logit.isFinite else { throw MalformedMessage(reason: "a score that is not finite") }
            regions.append(WorkerMessage.Region(box: box, turned: turned, logit: logit, map: try map()))
        }
        guard count == 1 || regions.allSatisfy({ $0.box != nil }) else {
            throw MalformedMessage(reason: "several regions, one without a box")
        }
        let facesFound = try facesFound(regions)
        let formats = ImageInformation.Format.allCases
        let format = Int(try integer(UInt8.self))
        guard formats.indices.contains(format) else { throw MalformedMessage(reason: "image format \(format)") }
        let image = ImageInformation(
            format: formats[format], width: try integer(), height: try integer(),
            sha256: Array(try take(Self.digestBytes)))
        let timings = WorkerMessage.Timings(
            queueMicroseconds: try integer(), computeMicroseconds: try integer(), batch: try integer())
        return WorkerMessage.Score(
            epoch: epoch, job: job, regions: regions, facesFound: facesFound, image: image, timings: timings)
    }

    /// How many faces were found, if that fits the regions that were scored.
    private mutating func facesFound(_ regions: [WorkerMessage.Region]) throws(MalformedMessage) -> Int? {
        let count = try integer(UInt16.self)
        let scored = regions.count { $0.box != nil }
        guard count != Self.notLookedFor else {
            if scored > 0 { throw MalformedMessage(reason: "\(scored) faces, and none was looked for") }
            return nil
        }
        guard scored > 0 ? count >= scored : count == 0 else {
            throw MalformedMessage(reason: "\(count) faces found, \(scored) scored")
        }
        return Int(count)
    }

    private mutating func box() throws(MalformedMessage) -> Box {
        Box(x: try integer(), y: try integer(), width: try integer(), height: try integer())
    }

    private mutating func turn() throws(MalformedMessage) -> Double? {
        let tenths: Int16 = try integer()
        guard Limits.turnTenths.contains(tenths) else {
            throw MalformedMessage(reason: "a face turned by \(tenths) tenths of a degree")
        }
        return tenths == 0 ? nil : Double(tenths) / 10
    }

    private mutating func map() throws(MalformedMessage) -> HeatMap? {
        let width = Int(try integer(UInt8.self))
        guard width > 0 else { return nil }
        let height = Int(try integer(UInt8.self))
        guard width <= Limits.mapSide, (1...Limits.mapSide).contains(height) else {
            throw MalformedMessage(reason: "a map of \(width) × \(height) cells")
        }
        let square = try box()
        return HeatMap(square: square, width: width, height: height, cells: Array(try take(width * height)))
    }

    mutating func metrics() throws(MalformedMessage) -> [String: Double] {
        var metrics: [String: Double] = [:]
        for _ in 0..<min(Int(try integer(UInt8.self)), Limits.metrics) {
            metrics[try string(limit: Limits.nameBytes)] = Double(bitPattern: try integer())
        }
        return metrics.filter { $0.value.isFinite }
    }

    func end() throws(MalformedMessage) {
        guard offset == bytes.count else {
            throw MalformedMessage(reason: "\(bytes.count - offset) bytes behind the end")
        }
    }

    private mutating func take(_ count: Int) throws(MalformedMessage) -> UnsafeRawBufferPointer {
        guard bytes.count - offset >= count else {
            throw MalformedMessage(reason: "it ends after \(bytes.count) bytes")
        }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }
}
