package import Glibc

/// Reads files that users and other programs write. Accepts only regular files of a limited size.
///
/// On failure, `errno` is set: `EISDIR` or `EINVAL` if the path is not a regular file, `EFBIG` if the file is too
/// large.
package enum Files {
    /// The system's message for the calling thread's `errno`.
    package static var reason: String { String(cString: strerror(errno)) }

    /// Returns the content of a file of at most `limit` bytes; nil, with `errno` set, if it cannot be read.
    package static func contents(of path: String, limit: Int) -> [UInt8]? {
        contentsAndStatus(of: path, limit: limit)?.bytes
    }

    /// Returns the content of a file of at most `limit` bytes and its status; nil, with `errno` set, if it cannot be
    /// read.
    package static func contentsAndStatus(of path: String, limit: Int) -> (bytes: [UInt8], status: stat)? {
        withOpen(path) { descriptor, status in
            var buffer = [UInt8](repeating: 0, count: min(Int(status.st_size), limit) + 1)
            var count = 0
            // The buffer has one byte more than the file should have, to detect that it has grown.
            while count < buffer.count {
                let read = buffer.withUnsafeMutableBytes {
                    Glibc.read(descriptor, $0.baseAddress! + count, $0.count - count)
                }
                if read < 0, errno == EINTR { continue }
                guard read >= 0 else { return nil }
                if read == 0 { break }
                count += read
            }
            guard count <= limit else {
                errno = EFBIG
                return nil
            }
            return (Array(buffer[..<count]), status)
        }
    }

    /// Calls `body` with a file's bytes; returns nil, with `errno` set, if the file cannot be read. The bytes are
    /// mapped from the page cache, so that hashing a large network leaves nothing resident.
    package static func withMapped<Value>(_ path: String, _ body: (UnsafeRawBufferPointer) -> Value) -> Value? {
        withOpen(path) { descriptor, status in
            let count = Int(status.st_size)
            guard count > 0 else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
            guard let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
                return nil
            }
            defer { munmap(start, count) }
            return body(UnsafeRawBufferPointer(start: start, count: count))
        }
    }

    /// Reads a file piece by piece, so that a large one is never in memory as a whole, and one that another program
    /// writes at the same time is no danger.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - limit: The most bytes that the file may have.
    ///   - body: Called with each piece in order; returns whether to read on.
    /// - Returns: False, with `errno` set, if the file could not be read as far as `body` wanted.
    package static func forEachPiece(
        of path: String, limit: Int, _ body: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        let done: Bool? = withOpen(path) { descriptor, _ in
            let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceBytes, alignment: 16)
            defer { piece.deallocate() }
            var left = limit
            while true {
                let count = Glibc.read(descriptor, piece.baseAddress, piece.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { return nil }
                guard count <= left else {
                    errno = EFBIG
                    return nil
                }
                left -= count
                if count == 0 || !body(UnsafeRawBufferPointer(rebasing: piece[..<count])) { return true }
            }
        }
        return done ?? false
    }

    private static let pieceBytes = 1 << 18

    /// Returns the names of all that is in a folder, in order; nil, with `errno` set, if it cannot be read: `ENOTDIR`
    /// if it is no folder, `E2BIG` if it holds more than `limit`.
    package static func names(in folder: String, limit: Int) -> [String]? {
        guard let stream = opendir(folder) else { return nil }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = UnsafeRawPointer(entry) + MemoryLayout<dirent>.offset(of: \.d_name)!
            let text = String(cString: name.assumingMemoryBound(to: CChar.self))
            if text == "." || text == ".." { continue }
            guard names.count < limit else {
                errno = E2BIG
                return nil
            }
            names.append(text)
        }
        return errno == 0 ? names.sorted() : nil
    }

    /// Opens a regular file and calls `body` with its descriptor and status; returns nil, with `errno` set, on failure.
    /// `O_NONBLOCK` is needed because opening a named pipe would otherwise wait for its writer.
    private static func withOpen<Value>(_ path: String, _ body: (Int32, stat) -> Value?) -> Value? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        guard status.st_mode & S_IFMT == S_IFREG else {
            errno = status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL
            return nil
        }
        return body(descriptor, status)
    }

    /// Creates a folder and its parents. Returns false, with `errno` set, on failure.
    package static func makeFolder(_ path: String) -> Bool {
        if mkdir(path, 0o755) == 0 || errno == EEXIST { return true }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return false }
        return makeFolder(String(path[..<slash])) && (mkdir(path, 0o755) == 0 || errno == EEXIST)
    }
}
