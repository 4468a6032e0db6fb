import BifronsWire
import Glibc
import Reactor
import Settings

/// Something to classify.
struct ImageSource: Equatable, Sendable {
    enum Place: Equatable, Sendable {
        /// A file in a folder: nothing but a file is read there.
        case file(FileName)
        /// What somebody named: a file, or a pipe that gives the image.
        case named(FileName)
        case standardInput
        /// A folder that cannot be searched, or the like.
        case unreadable(ReadError)
    }

    /// What results call it: the path as it was given, or "-".
    let name: FileName
    let place: Place
    /// Where it stands below what was given: in a folder its path there, otherwise the file's name.
    let relativeName: FileName

    /// The bytes, or in one sentence why not.
    struct ReadError: Error, Equatable {
        let code: String
        let message: String

        static func unreadable(_ what: String, _ reason: String = String(cString: strerror(errno))) -> ReadError {
            ReadError(code: "\(what)_unreadable", message: "cannot read the \(what): \(reason)")
        }
    }

    /// How long a pipe may take that somebody named.
    static let pipePatience = Duration.seconds(30)

    /// - Parameters:
    ///   - limit: larger files are not read.
    ///   - patience: how long a pipe may take. The standard input has all the time that its writer takes.
    func read(limit: Int, patience: Duration = Self.pipePatience) throws(ReadError) -> [UInt8] {
        switch place {
        case .unreadable(let error): throw error
        case .standardInput: return try Self.read(STDIN_FILENO, limit: limit, until: nil)
        case .file(let path): return try Self.read(path, limit: limit, patience: nil)
        case .named(let path): return try Self.read(path, limit: limit, patience: patience)
        }
    }

    /// - Parameter patience: of a pipe or a terminal; nil if only a file will do.
    private static func read(_ path: FileName, limit: Int, patience: Duration?) throws(ReadError) -> [UInt8] {
        // Without O_NONBLOCK, opening a named pipe waits for its writer for ever.
        let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard descriptor >= 0 else {
            // A socket cannot be opened at all.
            throw errno == ENXIO ? .unreadable("file", "it is not a file") : .unreadable("file")
        }
        defer { close(descriptor) }
        switch FileKind(of: descriptor) {
        case .pipe, .device:
            guard let patience else { throw .unreadable("file", "it is not a file any more") }
            return try read(descriptor, limit: limit, until: MonotonicClock.now() + patience)
        default: return try read(descriptor, limit: limit, until: nil)
        }
    }

    /// - Parameter end: when to give up; nil: never.
    private static func read(_ descriptor: Int32, limit: Int, until end: Instant?) throws(ReadError) -> [UInt8] {
        var bytes: [UInt8] = []
        var information = stat()
        if fstat(descriptor, &information) == 0, information.st_size <= limit {
            bytes.reserveCapacity(information.st_size)
        }
        var buffer: [UInt8] = Array(repeating: 0, count: 1 << 16)
        while true {
            // A pipe that has no writer yet reads as if it had ended, so it is asked first.
            if end != nil { try wait(descriptor, until: end) }
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                guard errno == EAGAIN else { throw .unreadable("file") }
                try wait(descriptor, until: end)
                continue
            }
            guard bytes.count + count <= limit else {
                throw ReadError(
                    code: "image_too_large",
                    message: "the file has more than \(limit) bytes; raise --image-bytes here and in the service")
            }
            bytes += buffer[..<count]
        }
    }

    private static func wait(_ descriptor: Int32, until end: Instant?) throws(ReadError) {
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            let found = poll(&item, 1, Int32(MonotonicClock.now().pollMilliseconds(until: end)))
            if found > 0 { return }
            if found < 0, errno != EINTR { throw .unreadable("file") }
            if let end, end <= MonotonicClock.now() {
                throw .unreadable("file", "it is a pipe whose writer took too long; write the image into a file first")
            }
        }
    }
}

/// What stands at a path.
enum FileKind {
    case file, folder, pipe, socket, device

    /// What is open; nil if the system does not say.
    init?(of descriptor: Int32) {
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { return nil }
        self.init(information)
    }

    /// What the path leads to; nil if to nothing, and then `errno` says why.
    init?(at path: FileName) {
        var information = stat()
        guard path.withCString({ stat($0, &information) }) == 0 else { return nil }
        self.init(information)
    }

    private init(_ information: stat) {
        self =
            switch information.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            case S_IFIFO: .pipe
            case S_IFSOCK: .socket
            default: .device
            }
    }

    static func isLink(_ path: FileName) -> Bool {
        var information = stat()
        return path.withCString { lstat($0, &information) } == 0 && information.st_mode & S_IFMT == S_IFLNK
    }
}
