import Glibc
import ImageDecoding
import ImageDrawing
import Wire

/// What `bifrons classify --draw` writes: each picture with its faces and their probabilities.
struct Drawings {
    private let paths: [String: String]

    /// Plans where each picture goes, and makes the folders.
    ///
    /// - Parameters:
    ///   - out: a file, for one picture whose name ends in .jpg, .jpeg or .png; a folder otherwise.
    ///   - arguments: what the command was given.
    /// - Throws: when two pictures would go to one file, or one would replace an original.
    init(out: String, arguments: [String], sources: [ImageSource]) throws(CommandError) {
        var paths: [String: String] = [:]
        var owners: [String: String] = [:]
        let isFile =
            sources.count == 1 && sources.map(\.name) == arguments && Self.format(of: out) != nil
            && !ImageSource.isFolder(out)
        for source in sources {
            let path = isFile ? out : "\(out)/\(source.relativeName)"
            if let other = owners.updateValue(source.name, forKey: path), other != source.name {
                throw CommandError("--draw would write both \(other) and \(source.name) to \(path): draw them apart")
            }
            guard source.name != path, !Self.isSameFile(source.name, path) else {
                throw CommandError("--draw would replace \(source.name) itself: name another place for the drawing")
            }
            paths[source.name] = path
        }
        self.paths = paths
    }

    /// Draws and writes one picture. What has no verdict is not drawn.
    func write(_ source: ImageSource, _ image: [UInt8], _ result: ResultDocument) throws(CommandError) {
        guard result.status.isSuccess, let verdict = result.verdict, var path = paths[source.name] else { return }
        let bytes: [UInt8]
        do {
            let picture = try ImageDecoder().decode(image)
            // The name decides; one that says nothing, or something else than the picture is, gets a suffix.
            let format = Self.format(of: path) ?? picture.format
            if Self.format(of: path) == nil { path += format == .jpeg ? ".jpg" : ".png" }
            bytes = try ImageEncoder.encode(
                Drawing.draw(Self.marks(result.faces ?? [], verdict, picture.image), on: picture.image), as: format)
        } catch {
            throw CommandError("cannot draw \(source.name): \(error)")
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
                    label: "no face AI \(percent(verdict.aiProbability))", colour: colour(verdict.aiProbability),
                    isDashed: true)
            ]
        }
        return faces.map { face in
            Drawing.Mark(
                x: Int(face.box.x), y: Int(face.box.y), width: Int(face.box.width), height: Int(face.box.height),
                label: "AI \(percent(face.aiProbability))\(turned(face))", colour: colour(face.aiProbability))
        }
    }

    private static func format(of path: String) -> ImageFormat? {
        let name = path.lowercased()
        if name.hasSuffix(".png") { return .png }
        return name.hasSuffix(".jpg") || name.hasSuffix(".jpeg") ? .jpeg : nil
    }

    private static func isSameFile(_ first: String, _ second: String) -> Bool {
        var (one, other) = (stat(), stat())
        return stat(first, &one) == 0 && stat(second, &other) == 0 && one.st_dev == other.st_dev
            && one.st_ino == other.st_ino
    }

    /// Writes beside the place and then to it, so that nobody finds half a picture.
    private static func write(_ bytes: [UInt8], to path: String) throws(CommandError) {
        func failure() -> CommandError { CommandError("cannot write \(path): \(String(cString: strerror(errno)))") }
        if let slash = path.lastIndex(of: "/"), !makeFolder(String(path[..<slash])) { throw failure() }
        let partial = "\(path).partial"
        guard let file = fopen(partial, "w") else { throw failure() }
        let isWritten = fwrite(bytes, 1, bytes.count, file) == bytes.count
        guard fclose(file) == 0, isWritten, rename(partial, path) == 0 else {
            let error = failure()
            unlink(partial)
            throw error
        }
    }

    private static func makeFolder(_ path: String) -> Bool {
        if path.isEmpty || ImageSource.isFolder(path) || mkdir(path, 0o777) == 0 { return true }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/") else { return false }
        return makeFolder(String(path[..<slash])) && mkdir(path, 0o777) == 0
    }
}
