/// Encodes the fields of a message between router and worker.
struct BinaryWriter {
    private(set) var bytes: [UInt8] = []

    mutating func header(_ tag: UInt8, version: UInt8 = Limits.workerProtocolVersion) {
        bytes.reserveCapacity(128)
        bytes.append(version)
        bytes.append(tag)
    }

    mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Writes the text, cut between characters to at most `limit` bytes.
    mutating func string(_ text: String, limit: Int) {
        var kept = Substring(text)
        while kept.utf8.count > limit { kept.removeLast() }
        integer(UInt16(kept.utf8.count))
        bytes.append(contentsOf: kept.utf8)
    }

    mutating func write(_ role: WorkerMessage.Role) {
        switch role {
        case .locator(let preprocessing):
            integer(UInt8(0))
            integer(preprocessing)
        case .network(let specification):
            integer(UInt8(1))
            write(specification)
        case .evidence: integer(UInt8(2))
        }
    }

    mutating func write(_ sandbox: WorkerMessage.Sandbox?) {
        integer(UInt8(sandbox == nil ? 0 : 1))
        guard let sandbox else { return }
        integer(sandbox.landlock)
        integer(UInt8(sandbox.seccomp ? 1 : 0))
    }

    mutating func write(_ specification: CropSpecification) {
        switch specification.kind {
        case .centralSquare: integer(UInt8(0))
        case .face(let margin):
            integer(UInt8(1))
            integer(margin.bitPattern)
        }
        integer(specification.width)
        integer(specification.height)
        integer(specification.preprocessing)
    }

    mutating func write(_ job: RouterMessage.Job) {
        integer(job.job)
        integer(job.attempt)
        integer(job.remainingMilliseconds)
    }

    mutating func write(_ crops: WorkerMessage.Crops) {
        let faces = crops.faces.prefix(Limits.faces)
        integer(UInt8(faces.count))
        for face in faces {
            write(face.box)
            let tenths = Int16(exactly: ((face.turned ?? 0) * 10).rounded()) ?? 0
            integer(Limits.turnTenths.contains(tenths) ? tenths : 0)
        }
        integer(
            crops.facesFound.map { UInt16(min($0, Int(BinaryReader.notLookedFor) - 1)) } ?? BinaryReader.notLookedFor)
        integer(UInt8(ImageInformation.Format.allCases.firstIndex(of: crops.image.format) ?? 0))
        integer(UInt8(crops.image.isAnimated ? 1 : 0))
        integer(crops.image.width)
        integer(crops.image.height)
        bytes.append(contentsOf: crops.image.sha256.prefix(BinaryReader.digestBytes))
        let sets = crops.sets.prefix(Limits.cropSets)
        integer(UInt8(sets.count))
        for set in sets {
            let squares = set.squares.prefix(Limits.faces)
            integer(UInt8(squares.count))
            for square in squares { write(square) }
        }
        write(crops.timings)
    }

    mutating func write(_ score: WorkerMessage.Score) {
        let crops = score.crops.prefix(Limits.faces)
        integer(UInt8(crops.count))
        for crop in crops {
            integer(crop.logit.bitPattern)
            integer(UInt8(crop.map?.width ?? 0))
            if let map = crop.map {
                integer(UInt8(map.height))
                bytes.append(contentsOf: map.cells)
            }
        }
        write(score.timings)
    }

    mutating func write(_ evidence: WorkerMessage.Evidence) {
        // A report's limits keep its text within the limit of the message, so nothing is cut off.
        string(evidence.report.encoded(), limit: Limits.evidenceReportBytes)
        write(evidence.timings)
    }

    private mutating func write(_ box: Box) {
        for side in [box.x, box.y, box.width, box.height] { integer(side) }
    }

    private mutating func write(_ timings: WorkerMessage.Timings) {
        integer(timings.queueMicroseconds)
        integer(timings.computeMicroseconds)
        integer(timings.batch)
    }
}
