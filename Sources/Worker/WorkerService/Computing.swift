internal import BifronsWire
internal import BifronsZeroMQ
internal import Hashing
internal import ImageDecoding
internal import Reactor
internal import WorkerCore

/// What the threads tell the socket thread.
enum Report: Sendable {
    /// The model is loaded and its canary scored.
    case ready(HostedModel)
    /// The model cannot be served, and why.
    case unfit(any Error)
    /// A thread has ended, and why.
    case broken(any Error)
    /// Crops were cut out of a picture: those of each specification in a frame.
    case located(WorkerCore.Token, WorkerCore.Located, [Frame])
    case failed(WorkerCore.Token, WireError)
    case scored(batch: Int, [Result<WorkerMessage.CropScore, WireError>])
}

/// A picture to cut. The frame is the one that the socket received.
struct Cutting: Sendable {
    /// Hashing fewer bytes takes less than starting a thread for it pays back.
    private static let bytesHashedAlone = 1 << 20

    let token: WorkerCore.Token
    let file: Frame
    let specifications: [CropSpecification]

    func perform(_ cutter: any Cutter) -> Report {
        do {
            let (cut, sha256) = try hashing { try file.withBytes { try cutter.cut($0, as: specifications) } }
            let image = ImageInformation(
                format: cut.format, width: UInt32(clamping: cut.width), height: UInt32(clamping: cut.height),
                sha256: sha256)
            let located = WorkerCore.Located(
                faces: cut.faces, facesFound: cut.facesFound, image: image,
                sets: cut.sets.map { WorkerMessage.CropSet(squares: $0.squares) })
            return .located(token, located, cut.sets.map { set in set.pixels.withUnsafeBytes { Frame($0) } })
        } catch {
            return .failed(token, WireError(explaining: error))
        }
    }

    /// The file's SHA-256, and what is made of it: of a large file both at the same time.
    private func hashing<Made>(_ make: () throws -> Made) throws -> (Made, sha256: [UInt8]) {
        if file.byteCount > Self.bytesHashedAlone, let hashing = try? HashingThread(file) {
            let made = Result { try make() }
            return (try made.get(), hashing.digest())
        }
        return (try make(), file.withBytes { SHA256.digest(of: $0) })
    }

    /// A thread that hashes a file.
    private struct HashingThread {
        private let result: Mailbox<[UInt8]>
        private let thread: PlatformThread

        init(_ file: Frame) throws {
            let result = try Mailbox<[UInt8]>()
            self.result = result
            thread = try PlatformThread(name: "hash") { result.post(file.withBytes { SHA256.digest(of: $0) }) }
        }

        func digest() -> [UInt8] {
            thread.join()
            return result.drain()[0]
        }
    }
}

/// Crops to score together.
struct Scoring: Sendable {
    /// Some crops of one job, in the frame that the socket received.
    struct Part: Sendable {
        let frame: Frame
        let crops: Range<Int>
    }

    let batch: Int
    let parts: [Part]

    func perform(_ scorer: any Scorer, step: () -> Void) -> Report {
        let results = Result { try gathered(scorer.specification.cropBytes) { try scorer.score($0, step: step) } }
        switch results {
        case .success(let results):
            return .scored(batch: batch, results.map { $0.mapError { WireError(explaining: $0) } })
        case .failure(let error):
            let count = parts.reduce(0) { $0 + $1.crops.count }
            return .scored(batch: batch, Array(repeating: .failure(WireError(explaining: error)), count: count))
        }
    }

    /// The crops of all parts, one after the other: where they lie when that is so already.
    private func gathered<R>(_ cropBytes: Int, _ body: (UnsafeRawBufferPointer) throws -> R) throws -> R {
        func withBytes<Q>(of part: Part, _ body: (UnsafeRawBufferPointer) throws -> Q) rethrows -> Q {
            try part.frame.withBytes { frame in
                let range = part.crops.lowerBound * cropBytes..<part.crops.upperBound * cropBytes
                return try body(UnsafeRawBufferPointer(rebasing: frame[range]))
            }
        }
        if parts.count == 1 { return try withBytes(of: parts[0], body) }
        var crops: [UInt8] = []
        crops.reserveCapacity(parts.reduce(0) { $0 + $1.crops.count } * cropBytes)
        for part in parts { withBytes(of: part) { crops.append(contentsOf: $0) } }
        return try crops.withUnsafeBytes(body)
    }
}

extension WireError {
    fileprivate init(explaining error: any Error) {
        if let error = error as? DecodeError {
            self.init(Status(rawValue: error.status), code: error.code, error.message)
        } else {
            self.init(.unavailable, code: "inference_failed", "\(error)")
        }
    }
}
