import BifronsWire
import FormData
import ImageDecoding
import Provenance
import TestImages

@testable import Inference
@testable import KnownImages

/// A function that is fed any bytes. It must return, and neither crash nor exhaust memory.
typealias Target = @Sendable (UnsafeRawBufferPointer) -> Void

/// The targets, by name.
let targets: [String: Target] = [
    "client-protocol": clientProtocol,
    "header": header,
    "worker-protocol": workerProtocol,
    "form": form,
    "manifest": manifest,
    "banks": banks,
    "signals": signals,
    "jpeg": decode,
    "png": png,
    "webp": decode,
    "gif": decode,
    "heif": decode,
    "profile": profile,
    "provenance": provenance,
    "manifest-store": manifestStore,
]

/// Decodes a message of frames. Each frame begins with a byte that counts its bytes.
private func clientProtocol(_ bytes: UnsafeRawBufferPointer) {
    var frames: [[UInt8]] = []
    var rest = Array(bytes)[...]
    while let count = rest.popFirst() {
        frames.append(Array(rest.prefix(Int(count))))
        rest = rest.dropFirst(Int(count))
    }
    let dropped = max(0, frames.count - Limits.clientMessageFrames)
    frames.removeLast(dropped)
    do {
        let found = try RequestFrames.locate(in: frames, dropped: dropped)
        precondition(found.envelopeCount <= Limits.envelopeFrames)
        precondition((found.image ?? 0) < frames.count && (found.header ?? 0) < frames.count)
        if let index = found.header { frames[index].withUnsafeBytes(header) }
    } catch {
        precondition(error.envelopeCount <= Limits.envelopeFrames && error.error.status == .badRequest)
    }
}

/// Checks that an accepted header is equal after encoding and decoding it.
private func header(_ bytes: UnsafeRawBufferPointer) {
    guard let read = try? RequestHeader.decode(bytes) else { return }
    let again = read.encoded().withUnsafeBytes { try? RequestHeader.decode($0) }
    precondition(again == read)
}

/// Checks that an accepted message is encoded as it was decoded, and is within the limits that the router relies on.
private func workerProtocol(_ bytes: UnsafeRawBufferPointer) {
    if let message = try? WorkerMessage.decode(bytes) {
        let again = message.encoded().withUnsafeBytes { try? WorkerMessage.decode($0) }
        precondition(again?.encoded() == message.encoded())
        switch message {
        case .hello(let hello):
            if case .network(let specification) = hello.role { precondition(isWithinLimits(specification)) }
        case .crops(let crops):
            precondition(crops.faces.count <= min(Limits.faces, crops.facesFound ?? 0))
            precondition((1...Limits.cropSets).contains(crops.sets.count))
            precondition(crops.sets.allSatisfy { (1...Limits.faces).contains($0.squares.count) })
        case .score(let score):
            precondition((1...Limits.faces).contains(score.crops.count))
            precondition(score.crops.allSatisfy { $0.logit.isFinite })
        case .evidence(let evidence): precondition(isWithinLimits(evidence.report))
        case .fail, .ping, .credit, .drain, .bye: break
        }
    }
    if let message = try? RouterMessage.decode(bytes) {
        precondition(message.encoded().elementsEqual(bytes))
        if case .locate(_, let specifications) = message {
            precondition((1...Limits.cropSets).contains(specifications.count))
            precondition(specifications.allSatisfy(isWithinLimits))
        }
    }
}

private func isWithinLimits(_ report: EvidenceReport) -> Bool {
    switch report {
    case .provenance(let evidence):
        [evidence.generator, evidence.signer].allSatisfy { ($0?.utf8.count ?? 0) <= Limits.evidenceTextBytes }
            && evidence.validation.count <= Limits.validationCodes && evidence.digest?.count ?? 32 == 32
    case .known(let evidence):
        evidence.matches.count <= Limits.knownMatches
            && evidence.matches.allSatisfy { $0.item >= 0 && $0.bank.utf8.count <= Limits.nameBytes }
    }
}

private func isWithinLimits(_ specification: CropSpecification) -> Bool {
    guard case .face(let margin) = specification.kind else { return specification.cropBytes > 0 }
    return specification.cropBytes > 0 && Limits.cropMargins.contains(margin)
}

/// Checks that a form gives the same parts in one piece and byte by byte.
private func form(_ bytes: UnsafeRawBufferPointer) {
    func parts(pieces: [Slice<UnsafeRawBufferPointer>]) -> [FormParser.Event]? {
        guard var parser = try? FormParser(contentType: "multipart/form-data; boundary=b") else { return nil }
        var parts: [FormParser.Event] = []
        for piece in pieces {
            guard let events = try? parser.feed(piece) else { return nil }
            for event in events {
                if case .content(let more) = event, case .content(let content)? = parts.last {
                    parts[parts.count - 1] = .content(content + more)
                } else {
                    parts.append(event)
                }
            }
        }
        return parts
    }
    precondition(parts(pieces: [bytes[...]]) == parts(pieces: bytes.indices.map { bytes[$0...$0] }))
    _ = try? FormParser(contentType: String(decoding: bytes, as: UTF8.self))
}

private func manifest(_ bytes: UnsafeRawBufferPointer) {
    for precision in [nil, Manifest.Precision.int8] {
        _ = try? Manifest(json: Array(bytes), path: "manifest.json", folder: ".", precision: precision)
    }
}

private func banks(_ bytes: UnsafeRawBufferPointer) {
    guard let file = try? BanksFile(json: Array(bytes), path: BanksFile.name) else { return }
    precondition(file.entries.count <= Banks.maxBanks)
    precondition(Set(file.entries.map(\.bank.name)).count == file.entries.count)
    precondition(file.entries.allSatisfy { !$0.files.isEmpty && $0.files.count <= BanksFile.maxFiles })
}

/// Checks that a signal file gives the same lines in one piece and byte by byte.
private func signals(_ bytes: UnsafeRawBufferPointer) {
    func lines(pieces: [UnsafeRawBufferPointer]) -> [SignalLine] {
        var reader = SignalReader()
        var lines: [SignalLine] = []
        for piece in pieces { reader.feed(piece) { lines.append($1) } }
        reader.finish { lines.append($1) }
        precondition(reader.lines == lines.count)
        return lines
    }
    precondition(
        lines(pieces: [bytes]) == lines(pieces: bytes.indices.map { UnsafeRawBufferPointer(rebasing: bytes[$0...$0]) }))
}

/// Decodes an image, with limits that keep each input under a second.
private func decode(_ file: UnsafeRawBufferPointer) {
    let limits = DecodeLimits(
        bytes: 1 << 20, pixels: 1 << 20, scans: 20, memory: 64 << 20, time: .seconds(2), profile: 1 << 19)
    let decoder = ImageDecoder(limits: limits)
    for reduction in [1, 8] {
        guard let image = try? decoder.decode(file, reduction: { _, _ in reduction }) else { continue }
        precondition(image.image.pixels.count == image.image.width * image.image.height * 3)
    }
}

/// Decodes images of each number of channels with the input as their profile.
private func profile(_ bytes: UnsafeRawBufferPointer) {
    let segments = TestImages.profileSegments(Array(bytes)).flatMap { $0 }
    for colour in [TestImages.JPEGColour.gray, .ycbcr, .adobeCMYK] {
        let image = TestImages.jpeg(width: 8, height: 8, colour: colour)
        TestImages.insert(segments, into: image).withUnsafeBytes(decode)
    }
}

/// Decodes a file as it is, and with the checksum of every chunk corrected, because the decoder stops at a wrong one.
private func png(_ file: UnsafeRawBufferPointer) {
    decode(file)
    var mended = Array(file.prefix(TestImages.pngSignature.count))
    var rest = file.dropFirst(mended.count)
    while rest.count >= 12 {
        let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        let type = rest.dropFirst(4).prefix(4).map { $0 & 0x7F }
        let data = rest.dropFirst(8).prefix(min(length, rest.count - 12))
        mended += TestImages.chunk(String(decoding: type, as: UTF8.self), Array(data))
        rest = rest.dropFirst(12 + data.count)
    }
    mended.withUnsafeBytes(decode)
}

/// Reads a file's evidence within limits that keep each input short. Nothing that was not signed may be trusted.
private func provenance(_ file: UnsafeRawBufferPointer) {
    let limits = ProvenanceLimits(chunks: 64, store: 1 << 20, inflated: 1 << 16, items: 5000, time: .seconds(1))
    let reader = ProvenanceReader(limits: limits)
    guard let report = try? reader.read(file, at: 1_700_000_000, processorTime: { .zero }) else { return }
    precondition(report.trust != .trusted)
    precondition((report.generator ?? "").utf8.count <= 128 && (report.signer ?? "").utf8.count <= 128)
    precondition(report.validation.count <= 32)
    precondition((report.source == nil) == (report.claim == .none && report.digest == nil && report.validation.isEmpty))
}

/// Reads the input as the manifest store of a PNG, as the JUMBF of a JPEG, and as a packet of XMP.
private func manifestStore(_ bytes: UnsafeRawBufferPointer) {
    let store = Array(bytes)
    let frame = TestImages.pngSignature + TestImages.pngHeader(width: 1, height: 1)
    let end = TestImages.chunk("IEND", [])
    (frame + TestImages.chunk("caBX", store) + end).withUnsafeBytes(provenance)
    let text = Array("XML:com.adobe.xmp\0\0\0\0\0".utf8)
    (frame + TestImages.chunk("iTXt", text + store) + end).withUnsafeBytes(provenance)
    (frame + TestImages.chunk("eXIf", store) + end).withUnsafeBytes(provenance)
}
