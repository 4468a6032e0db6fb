import Glibc

/// Functions for reading the files of a model folder.
enum Files {
    /// The system's message for the calling thread's errno.
    static var reason: String { String(cString: strerror(errno)) }

    /// Returns the contents of a file of at most `limit` bytes; nil, with errno set, if it cannot be read (EFBIG: it is
    /// longer).
    static func contents(of path: String, limit: Int) -> [UInt8]? {
        withMapped(path) { bytes in
            if bytes.count > limit {
                errno = EFBIG
                return nil
            }
            return [UInt8](bytes)
        } ?? nil
    }

    /// Calls `body` with a regular file's bytes. Returns nil, with errno set, if it cannot be read. The file is mapped,
    /// so that hashing a large network leaves nothing resident in this process.
    static func withMapped<Value>(_ path: String, _ body: (UnsafeRawBufferPointer) -> Value) -> Value? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        guard status.st_mode & S_IFMT == S_IFREG else {
            errno = status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL
            return nil
        }
        let count = Int(status.st_size)
        guard count > 0 else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        guard let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            return nil
        }
        defer { munmap(start, count) }
        return body(UnsafeRawBufferPointer(start: start, count: count))
    }

    /// Makes a folder and its missing ancestors. Returns false, with errno set, if that fails.
    static func makeFolder(_ path: String) -> Bool {
        if mkdir(path, 0o755) == 0 || errno == EEXIST { return true }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return false }
        return makeFolder(String(path[..<slash])) && (mkdir(path, 0o755) == 0 || errno == EEXIST)
    }
}
