import Glibc
import Testing

/// Paths and contents of files of the repository, the build and the tests.
enum Files {
    /// The repository's root.
    static let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    static let models = root + "/Models"
    /// The published ensemble.json without its evidence, so that only tests that are about evidence need workers for it.
    static let ensembleWithoutEvidence = text("\(models)/ensemble.json")
        .replacing(/"evidence": \[[^\]]*\],\s*/, with: "")
    static let python = root + "/.venv-test/bin/python"

    /// Returns the path of one of the programs, which are built beside the tests.
    static func program(_ name: String) -> String {
        var path = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &path, path.count)
        let tests = String(decoding: path.prefix(max(0, count)), as: UTF8.self)
        return tests.prefix(upTo: tests.lastIndex(of: "/") ?? tests.startIndex) + "/" + name
    }

    /// Returns the names in a folder; empty if it does not exist.
    static func names(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    static func text(_ path: String) -> String {
        String(decoding: bytes(path), as: UTF8.self)
    }

    static func bytes(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        return bytes
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }
}

/// A folder for endpoints and outputs that is removed with its contents.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/bifrons-e2e-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        Self.remove(Array(path.utf8CString.dropLast()))
    }

    /// Removes a file, a link or a folder with its contents; never what a link leads to. Names need not be UTF-8.
    private static func remove(_ path: [CChar]) {
        let terminated = path + [0]
        guard Glibc.remove(terminated) != 0, let folder = opendir(terminated) else { return }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { start in
                    Array(UnsafeBufferPointer(start: start, count: strlen(start)))
                }
            }
            if name != [46], name != [46, 46] { remove(path + [47] + name) }
        }
        closedir(folder)
        Glibc.remove(terminated)
    }
}
