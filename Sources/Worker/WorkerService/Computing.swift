internal import BifronsWire
internal import BifronsZeroMQ
internal import Hashing
internal import ImageDecoding
internal import Provenance
internal import Reactor
internal import WorkerCore

/// A message from a computing thread to the socket thread.
enum Report: Sendable {
    /// The model is loaded and has passed its canary.
    case ready(HostedModel)
    /// The model cannot be served, for this reason.
    case unfit(any Error)
    /// A thread has ended with this error.
    case broken(any Error)
    /// Crops were cut out of an image: one frame for each specification.
    case located(WorkerCore.Token, WorkerCore.Located, [Frame])
    /// This evidence was found about an image.
    case examined(WorkerCore.Token, EvidenceReport)
    /// What the evidence depends on was read again.
    case reloaded
    /// No crops can be cut out of an image, or no evidence can be found, for this reason.
    case failed(WorkerCore.Token, WireError)
    /// A batch was scored: a score or an error for each of its crops, in their order.
    case scored(batch: Int, [Result<WorkerMessage.CropScore, WireError>])
}

/// An order to cut crops out of an image. The frame is the one that the socket received.
struct Cutting: Sendable {
    /// The most bytes that are hashed on the same thread. For fewer bytes a second thread costs more than it saves.
    private static let bytesHashedAlone = 1 << 20

    let token: WorkerCore.Token
    let file: Frame
    let specifications: [CropSpecification]

    /// Decodes, cuts and hashes the image, and returns a `.located` or `.failed`.
    func perform(_ cutter: any Cutter) -> Report {
        do {
            let (cut, sha256) = try hashing { try file.withBytes { try cutter.cut($0, as: specifications) } }
            let image = ImageInformation(
                format: cut.format, isAnimated: cut.isAnimated, width: UInt32(clamping: cut.width),
                height: UInt32(clamping: cut.height), sha256: sha256)
            let located = WorkerCore.Located(
                faces: cut.faces, facesFound: cut.facesFound, image: image,
                sets: cut.sets.map { WorkerMessage.CropSet(squares: $0.squares) })
            return .located(token, located, cut.sets.map { set in set.pixels.withUnsafeBytes { Frame($0) } })
        } catch {
            return .failed(token, WireError(explaining: error))
        }
    }

    /// Returns the result of `make` and the file's SHA-256. A large file is hashed on a second thread meanwhile.
    private func hashing<Made>(_ make: () throws -> Made) throws -> (Made, sha256: [UInt8]) {
        if file.byteCount > Self.bytesHashedAlone, let hashing = try? HashingThread(file) {
            let made = Result { try make() }
            return (try made.get(), hashing.digest())
        }
        return (try make(), file.withBytes { SHA256.digest(of: $0) })
    }

    /// A thread that computes a file's SHA-256.
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

/// An order to find evidence about an image. The frame is the one that the socket received.
struct Examining: Sendable {
    let token: WorkerCore.Token
    let file: Frame

    /// Examines the image, and returns an `.examined` or `.failed`.
    func perform(_ examiner: any Examiner) -> Report {
        do {
            return .examined(token, try file.withBytes { try examiner.examine($0) })
        } catch {
            return .failed(token, WireError(explaining: error))
        }
    }
}

/// An order to score crops together.
struct Scoring: Sendable {
    /// The crops of one job, in the frame that the socket received.
    struct Part: Sendable {
        let frame: Frame
        let crops: Range<Int>
    }

    let batch: Int
    let parts: [Part]

    /// Scores the crops and returns a `.scored`. `step` is called whenever some are done.
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

    /// Calls `body` with the crops of all parts, one after another. A single part is not copied.
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
        } else if let error = error as? EvidenceError {
            self.init(.unprocessable, code: "evidence_too_complex", error.message)
        } else if let error = error as? WireError {
            self = error
        } else {
            self.init(.unavailable, code: "inference_failed", "\(error)")
        }
    }
}
