import BifronsWire
import Glibc
import ImageDecoding
import ImageDrawing
import ProcessSupport

/// Writes the output of `bifrons classify --draw`: each image with its faces and their probabilities.
struct Drawings {
    private let paths: [FileName: FileName]

    /// Plans the output path of each image.
    ///
    /// - Parameters:
    ///   - out: A file, if there is one image and the name ends in .jpg, .jpeg or .png; otherwise a folder.
    ///   - arguments: The command's arguments.
    ///   - sources: The images.
    /// - Throws: ``CommandError`` if two images would be written to one file, or a drawing would replace an original.
    init(out: FileName, arguments: [FileName], sources: [ImageSource]) throws(CommandError) {
        var paths: [FileName: FileName] = [:]
        var owners: [FileName: FileName] = [:]
        let isFile =
            sources.count == 1 && sources.map(\.name) == arguments && Self.format(of: out) != nil
            && FileKind(at: out) != .folder
        for source in sources {
            let path = isFile ? out : FileName(bytes: out.bytes + [Self.slash] + source.relativeName.bytes)
            if let other = owners.updateValue(source.name, forKey: path), other != source.name {
                throw CommandError(
                    "--draw would write both \(other.text) and \(source.name.text) to \(path.text): draw them apart")
            }
            guard source.name != path, !Self.isSameFile(source.name, path) else {
                throw CommandError(
                    "--draw would replace \(source.name.text) itself: name another place for the drawing")
            }
            paths[source.name] = path
        }
        self.paths = paths
    }

    /// Draws and writes one image. An image without a verdict is not drawn.
    func write(_ source: ImageSource, _ image: [UInt8], _ result: ResultDocument) throws(CommandError) {
        guard result.status.isSuccess, let verdict = result.verdict, var path = paths[source.name] else { return }
        let bytes: [UInt8]
        do {
            let image = try ImageDecoder().decode(image)
            // The file name determines the format. A name without a known suffix gets that of a JPEG, if the image is
            // one, otherwise that of a PNG, which loses nothing.
            let format = Self.format(of: path) ?? (image.format == .jpeg ? .jpeg : .png)
            if Self.format(of: path) == nil { path.bytes += Array((format == .jpeg ? ".jpg" : ".png").utf8) }
            bytes = try ImageEncoder.encode(
                Drawing.draw(Self.marks(result.faces ?? [], verdict, image.image), on: image.image), as: format)
        } catch {
            throw CommandError("cannot draw \(source.name.text): \(error)")
        }
        try Self.write(bytes, to: path)
    }

    static func marks(
        _ faces: [ResultDocument.Face], _ verdict: ResultDocument.Verdict, _ image: RGBImage
    ) -> [Drawing.Mark] {
        func colour(_ probability: Double) -> Drawing.Colour { probability >= 0.5 ? .alarm : .calm }
        func turned(_ face: ResultDocument.Face) -> String { face.turned.map { " at \(fixed($0, 0))°" } ?? "" }
        if faces.isEmpty {
            let side = min(image.width, image.height)
            return [
                Drawing.Mark(
                    x: (image.width - side) / 2, y: (image.height - side) / 2, width: side, height: side,
                    label: verdict.aiProbability.map { "AI \(percent($0))" } ?? "no face",
                    colour: verdict.aiProbability.map(colour) ?? .neutral, isDashed: true)
            ]
        }
        return faces.map { face in
            Drawing.Mark(
                x: Int(face.box.x), y: Int(face.box.y), width: Int(face.box.width), height: Int(face.box.height),
                label: "AI \(percent(face.aiProbability))\(turned(face))", colour: colour(face.aiProbability))
        }
    }

    private static let slash = UInt8(ascii: "/")

    private static func format(of path: FileName) -> ImageEncoder.Format? {
        let name = path.text.lowercased()
        if name.hasSuffix(".png") { return .png }
        return name.hasSuffix(".jpg") || name.hasSuffix(".jpeg") ? .jpeg : nil
    }

    private static func isSameFile(_ first: FileName, _ second: FileName) -> Bool {
        var (one, other) = (stat(), stat())
        return first.withCString { stat($0, &one) } == 0 && second.withCString { stat($0, &other) } == 0
            && one.st_dev == other.st_dev && one.st_ino == other.st_ino
    }

    /// Writes to a temporary file and renames it, so that nobody sees a half-written image.
    private static func write(_ bytes: [UInt8], to path: FileName) throws(CommandError) {
        func failure() -> CommandError {
            CommandError("cannot write \(path.text): \(String(cString: strerror(errno)))")
        }
        if let folder = folder(of: path), !makeFolder(folder) { throw failure() }
        let partial = FileName(bytes: path.bytes + Array(".partial".utf8))
        guard let file = partial.withCString({ fopen($0, "w") }) else { throw failure() }
        let isWritten = fwrite(bytes, 1, bytes.count, file) == bytes.count
        guard fclose(file) == 0, isWritten,
            partial.withCString({ from in path.withCString { rename(from, $0) } }) == 0
        else {
            let error = failure()
            _ = partial.withCString { unlink($0) }
            throw error
        }
    }

    private static func folder(of path: FileName) -> FileName? {
        path.bytes.lastIndex(of: slash).map { FileName(bytes: Array(path.bytes[..<$0])) }
    }

    private static func makeFolder(_ path: FileName) -> Bool {
        func make() -> Bool { path.withCString { mkdir($0, 0o777) } == 0 }
        if path.bytes.isEmpty || FileKind(at: path) == .folder || make() { return true }
        guard errno == ENOENT, let folder = folder(of: path) else { return false }
        return makeFolder(folder) && make()
    }
}
