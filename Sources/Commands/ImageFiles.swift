import FoundationEssentials
import Glibc

/// Something to classify.
struct ImageSource: Equatable, Sendable {
    enum Place: Equatable, Sendable {
        case file(String)
        case standardInput
    }

    /// What results call it: the path as it was given, or "-".
    let name: String
    let place: Place
    /// Where it stands below what was given: in a folder its path there, otherwise the file's name.
    let relativeName: String

    /// The bytes, or in one sentence why not.
    struct ReadError: Error, Equatable {
        let code: String
        let message: String
    }

    /// - Parameter limit: larger files are not read.
    func read(limit: Int) throws(ReadError) -> [UInt8] {
        switch place {
        case .standardInput: return try read(STDIN_FILENO, limit: limit)
        case .file(let path):
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw unreadable }
            defer { close(descriptor) }
            return try read(descriptor, limit: limit)
        }
    }

    private var unreadable: ReadError {
        ReadError(code: "file_unreadable", message: "cannot read the file: \(String(cString: strerror(errno)))")
    }

    private func read(_ descriptor: Int32, limit: Int) throws(ReadError) -> [UInt8] {
        var bytes: [UInt8] = []
        var information = stat()
        if fstat(descriptor, &information) == 0, information.st_size <= limit {
            bytes.reserveCapacity(information.st_size)
        }
        var buffer: [UInt8] = Array(repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw unreadable
            }
            guard bytes.count + count <= limit else {
                throw ReadError(
                    code: "image_too_large",
                    message: "the file has more than \(limit) bytes; raise --image-bytes here and in the service")
            }
            bytes += buffer[..<count]
        }
    }

    /// What the arguments of a command name: files as they are, folders with the images in them, `-` for standard input.
    static func find(_ arguments: [String]) -> [ImageSource] {
        arguments.flatMap { argument in
            if argument == "-" {
                return [ImageSource(name: "-", place: .standardInput, relativeName: "standard-input")]
            }
            if isFolder(argument) { return images(in: argument, relativeTo: "") }
            let name = argument.split(separator: "/").last.map(String.init) ?? argument
            return [ImageSource(name: argument, place: .file(argument), relativeName: name)]
        }
    }

    /// The images in a folder and those below it, in the order of their names. Hidden files and folders that are links are
    /// left out.
    private static func images(in folder: String, relativeTo parent: String) -> [ImageSource] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let base = folder.hasSuffix("/") ? folder : folder + "/"
        return names.filter { !$0.hasPrefix(".") }.sorted().flatMap { name in
            let path = base + name
            if isFolder(path) { return isLink(path) ? [] : images(in: path, relativeTo: parent + name + "/") }
            return isImage(path) ? [ImageSource(name: path, place: .file(path), relativeName: parent + name)] : []
        }
    }

    static func isFolder(_ path: String) -> Bool {
        var information = stat()
        return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
    }

    private static func isLink(_ path: String) -> Bool {
        var information = stat()
        return lstat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFLNK
    }

    /// By its name, so that a broken one is told of; or by how it begins.
    private static func isImage(_ path: String) -> Bool {
        let name = path.lowercased()
        if [".jpg", ".jpeg", ".png"].contains(where: name.hasSuffix) { return true }
        // Not a pipe or device, whose opening may wait for ever.
        var information = stat()
        guard stat(path, &information) == 0, information.st_mode & S_IFMT == S_IFREG else { return false }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var start: [UInt8] = Array(repeating: 0, count: 8)
        let count = Glibc.read(descriptor, &start, start.count)
        return start.starts(with: [0xFF, 0xD8, 0xFF])
            || count == 8 && start == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    }
}
