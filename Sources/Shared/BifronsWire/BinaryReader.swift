/// Decodes the fields of a message between router and worker. Total: any bytes give a value or an error.
struct BinaryReader {
    static let digestBytes = 32
    /// The value in place of a count of faces when no faces were looked for.
    static let notLookedFor = UInt16.max

    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Returns the type byte, after checking that the message has this release's version of the protocol.
    mutating func header() throws(MalformedMessage) -> UInt8 {
        let version: UInt8 = try integer()
        guard version == Limits.workerProtocolVersion else {
            throw MalformedMessage(
                reason: "version \(version), not \(Limits.workerProtocolVersion)", otherVersion: version)
        }
        return try integer()
    }

    mutating func integer<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(MalformedMessage) -> Value {
        let size = MemoryLayout<Value>.size
        let value = try take(size).loadUnaligned(as: Value.self)
        return Value(littleEndian: value)
    }

    mutating func flag() throws(MalformedMessage) -> Bool {
        let byte: UInt8 = try integer()
        guard byte <= 1 else { throw MalformedMessage(reason: "\(byte) in place of 0 or 1") }
        return byte == 1
    }

    /// Returns a text of at most `limit` bytes.
    mutating func string(limit: Int) throws(MalformedMessage) -> String {
        let count = Int(try integer(UInt16.self))
        guard count <= limit else { throw MalformedMessage(reason: "a text of \(count) bytes, more than \(limit)") }
        guard let text = String(validating: try take(count), as: UTF8.self) else {
            throw MalformedMessage(reason: "a text that is not UTF-8")
        }
        return text
    }

    mutating func metrics() throws(MalformedMessage) -> [String: Double] {
        var metrics: [String: Double] = [:]
        for _ in 0..<min(Int(try integer(UInt8.self)), Limits.metrics) {
            metrics[try string(limit: Limits.nameBytes)] = Double(bitPattern: try integer())
        }
        return metrics.filter { $0.value.isFinite }
    }

    /// Returns what holds of a worker's sandbox; nil if it has entered none.
    mutating func sandbox() throws(MalformedMessage) -> WorkerMessage.Sandbox? {
        guard try flag() else { return nil }
        return WorkerMessage.Sandbox(landlock: try integer(), seccomp: try flag())
    }

    /// Checks that no bytes are left.
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

    /// Returns a count from 1 to `limit`.
    private mutating func count(of what: String, upTo limit: Int) throws(MalformedMessage) -> Int {
        let count = Int(try integer(UInt8.self))
        guard (1...limit).contains(count) else { throw MalformedMessage(reason: "\(count) \(what)") }
        return count
    }
}

// MARK: Jobs

extension BinaryReader {
    mutating func role() throws(MalformedMessage) -> WorkerMessage.Role {
        switch try integer(UInt8.self) {
        case 0: return .locator(preprocessing: try integer())
        case 1: return .network(try specification())
        case 2: return .evidence
        case let role: throw MalformedMessage(reason: "role \(role)")
        }
    }

    mutating func job() throws(MalformedMessage) -> RouterMessage.Job {
        RouterMessage.Job(job: try integer(), attempt: try integer(), remainingMilliseconds: try integer())
    }

    mutating func specifications() throws(MalformedMessage) -> [CropSpecification] {
        var specifications: [CropSpecification] = []
        for _ in 0..<(try count(of: "crop specifications", upTo: Limits.cropSets)) {
            specifications.append(try specification())
        }
        return specifications
    }

    private mutating func specification() throws(MalformedMessage) -> CropSpecification {
        var kind = CropSpecification.Kind.centralSquare
        if try flag() {
            let margin = Double(bitPattern: try integer())
            guard Limits.cropMargins.contains(margin) else { throw MalformedMessage(reason: "a margin of \(margin)") }
            kind = .face(margin: margin)
        }
        let specification = CropSpecification(
            kind: kind, width: try integer(), height: try integer(), preprocessing: try integer())
        guard specification.cropBytes > 0 else {
            throw MalformedMessage(reason: "crops of \(specification.width) × \(specification.height) pixels")
        }
        return specification
    }

    mutating func crops(epoch: UInt64, job: UInt64) throws(MalformedMessage) -> WorkerMessage.Crops {
        let count = Int(try integer(UInt8.self))
        guard count <= Limits.faces else { throw MalformedMessage(reason: "\(count) faces") }
        var faces: [WorkerMessage.Face] = []
        for _ in 0..<count { faces.append(WorkerMessage.Face(box: try box(), turned: try turn())) }
        let facesFound = try facesFound(cutOut: count)
        let image = try image()
        var sets: [WorkerMessage.CropSet] = []
        for _ in 0..<(try self.count(of: "sets of crops", upTo: Limits.cropSets)) {
            var squares: [Box] = []
            for _ in 0..<(try self.count(of: "crops", upTo: Limits.faces)) { squares.append(try box()) }
            sets.append(WorkerMessage.CropSet(squares: squares))
        }
        return WorkerMessage.Crops(
            epoch: epoch, job: job, faces: faces, facesFound: facesFound, image: image, sets: sets,
            timings: try timings())
    }

    mutating func score(epoch: UInt64, job: UInt64) throws(MalformedMessage) -> WorkerMessage.Score {
        var crops: [WorkerMessage.CropScore] = []
        for _ in 0..<(try count(of: "scores", upTo: Limits.faces)) {
            let logit = Float(bitPattern: try integer())
            guard logit.isFinite else { throw MalformedMessage(reason: "a score that is not finite") }
            crops.append(WorkerMessage.CropScore(logit: logit, map: try map()))
        }
        return WorkerMessage.Score(epoch: epoch, job: job, crops: crops, timings: try timings())
    }

    mutating func evidence(epoch: UInt64, job: UInt64) throws(MalformedMessage) -> WorkerMessage.Evidence {
        let report = try EvidenceReport.decode(try string(limit: Limits.evidenceReportBytes))
        return WorkerMessage.Evidence(epoch: epoch, job: job, report: report, timings: try timings())
    }

    /// Returns the number of faces found, or nil if none were looked for. Checks that it fits the number of faces cut
    /// out.
    private mutating func facesFound(cutOut: Int) throws(MalformedMessage) -> Int? {
        let count = try integer(UInt16.self)
        guard count != Self.notLookedFor else {
            if cutOut > 0 { throw MalformedMessage(reason: "\(cutOut) faces, and none was looked for") }
            return nil
        }
        guard cutOut > 0 ? count >= cutOut : count == 0 else {
            throw MalformedMessage(reason: "\(count) faces found, \(cutOut) cut out")
        }
        return Int(count)
    }

    private mutating func image() throws(MalformedMessage) -> ImageInformation {
        let formats = ImageInformation.Format.allCases
        let format = Int(try integer(UInt8.self))
        guard formats.indices.contains(format) else { throw MalformedMessage(reason: "image format \(format)") }
        return ImageInformation(
            format: formats[format], isAnimated: try flag(), width: try integer(), height: try integer(),
            sha256: Array(try take(Self.digestBytes)))
    }

    private mutating func timings() throws(MalformedMessage) -> WorkerMessage.Timings {
        WorkerMessage.Timings(
            queueMicroseconds: try integer(), computeMicroseconds: try integer(), batch: try integer())
    }

    private mutating func box() throws(MalformedMessage) -> Box {
        Box(x: try integer(), y: try integer(), width: try integer(), height: try integer())
    }

    /// Returns by how many degrees clockwise a face is turned; nil for 0.
    private mutating func turn() throws(MalformedMessage) -> Double? {
        let tenths: Int16 = try integer()
        guard Limits.turnTenths.contains(tenths) else {
            throw MalformedMessage(reason: "a face turned by \(tenths) tenths of a degree")
        }
        return tenths == 0 ? nil : Double(tenths) / 10
    }

    private mutating func map() throws(MalformedMessage) -> EvidenceMap? {
        let width = Int(try integer(UInt8.self))
        guard width > 0 else { return nil }
        let height = Int(try integer(UInt8.self))
        guard width <= Limits.mapSide, (1...Limits.mapSide).contains(height) else {
            throw MalformedMessage(reason: "a map of \(width) × \(height) cells")
        }
        return EvidenceMap(width: width, height: height, cells: Array(try take(width * height)))
    }
}
