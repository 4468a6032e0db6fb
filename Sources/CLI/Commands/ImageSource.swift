import BifronsWire
import Glibc
import ProcessSupport
import Reactor

/// An image to classify, or another file that a command is given, or the reason why it cannot be read.
struct ImageSource: Equatable, Sendable {
    enum Place: Equatable, Sendable {
        /// A file in a folder. Anything else at that path is not read.
        case file(FileName)
        /// A path that was given on the command line: a file, or a pipe that delivers the image.
        case named(FileName)
        case standardInput
        /// A folder that cannot be searched, for instance.
        case unreadable(ReadError)
    }

    /// The name in results: the path as given, or "-".
    let name: FileName
    let place: Place
    /// The path below the folder that was given, or the file's name if a file was given.
    let relativeName: FileName

    /// The reason why an image cannot be read, in one sentence.
    struct ReadError: Error, Equatable {
        let code: String
        let message: String

        static func unreadable(_ what: String, _ reason: String = String(cString: strerror(errno))) -> ReadError {
            ReadError(code: "\(what)_unreadable", message: "cannot read the \(what): \(reason)")
        }
    }

    /// How long reading from a pipe named on the command line may take.
    static let pipePatience = Duration.seconds(30)

    /// Reads the image.
    ///
    /// - Parameters:
    ///   - limit: The most bytes. A larger file is not read.
    ///   - patience: How long reading from a pipe may take. Standard input has no limit.
    /// - Throws: ``ReadError`` that says why it cannot be read.
    func read(limit: Int, patience: Duration = Self.pipePatience) throws(ReadError) -> [UInt8] {
        switch place {
        case .unreadable(let error): throw error
        case .standardInput: return try Self.read(STDIN_FILENO, limit: limit, until: nil)
        case .file(let path): return try Self.read(path, limit: limit, patience: nil)
        case .named(let path): return try Self.read(path, limit: limit, patience: patience)
        }
    }

    /// Reads a file.
    ///
    /// - Parameter patience: How long a pipe or terminal may take; nil if only an ordinary file is allowed.
    private static func read(_ path: FileName, limit: Int, patience: Duration?) throws(ReadError) -> [UInt8] {
        // Without O_NONBLOCK, opening a named pipe would wait indefinitely for a writer.
        let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard descriptor >= 0 else {
            // Opening a socket fails with ENXIO.
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

    /// Reads to the end.
    ///
    /// - Parameter end: When to give up; nil: never.
    private static func read(_ descriptor: Int32, limit: Int, until end: Instant?) throws(ReadError) -> [UInt8] {
        var bytes: [UInt8] = []
        var information = stat()
        if fstat(descriptor, &information) == 0, information.st_size <= limit {
            bytes.reserveCapacity(information.st_size)
        }
        var buffer: [UInt8] = Array(repeating: 0, count: 1 << 16)
        while true {
            // A pipe without a writer reads as if it had ended, so wait for data first.
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

/// The kind of thing at a path.
enum FileKind {
    case file, folder, pipe, socket, device

    /// Determines the kind behind an open descriptor; nil if the system does not say.
    init?(of descriptor: Int32) {
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { return nil }
        self.init(information)
    }

    /// Determines the kind at a path, following links; nil if there is nothing, with the reason in `errno`.
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
