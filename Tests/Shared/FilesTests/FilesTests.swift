import Files
import FoundationEssentials
import Glibc
import Testing

@Suite final class FilesTests {
    private let folder: String

    init() throws {
        folder = "/tmp/bifrons-files-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
    }

    private func file(_ bytes: [UInt8]) throws -> String {
        let path = "\(folder)/file"
        try Data(bytes).write(to: URL(filePath: path))
        return path
    }

    /// Returns the `errno` of reading a file; 0 if it can be read.
    private func failure(_ path: String, limit: Int = 10) -> Int32 {
        Files.contents(of: path, limit: limit) == nil ? errno : 0
    }

    @Test func aFileIsReadUpToTheSizeLimit() throws {
        let path = try file([1, 2, 3])
        #expect(Files.contents(of: path, limit: 3) == [1, 2, 3])
        #expect(Files.contentsAndStatus(of: path, limit: 4)?.status.st_size == 3)
        #expect(Files.withMapped(path) { Array($0) } == [1, 2, 3])
        #expect(failure(path, limit: 2) == EFBIG)
        #expect(Files.contents(of: try file([]), limit: 0) == [])
        #expect(Files.withMapped(try file([])) { $0.count } == 0)
    }

    @Test func aFileIsReadPieceByPiece() throws {
        let bytes = (0..<700_000).map { UInt8($0 % 251) }
        let path = try file(bytes)
        var pieces: [[UInt8]] = []
        #expect(
            Files.forEachPiece(of: path, limit: bytes.count) {
                pieces.append(Array($0))
                return true
            })
        #expect(pieces.count > 1)
        #expect(Array(pieces.joined()) == bytes)
        pieces = []
        #expect(
            Files.forEachPiece(of: path, limit: bytes.count) {
                pieces.append(Array($0))
                return false
            })
        #expect(pieces.count == 1)
        #expect(!Files.forEachPiece(of: path, limit: bytes.count - 1) { _ in true } && errno == EFBIG)
        #expect(!Files.forEachPiece(of: folder, limit: 1) { _ in true } && errno == EISDIR)
        #expect(try Files.forEachPiece(of: file([]), limit: 0) { _ in false })
    }

    @Test func aFolderHasNames() throws {
        #expect(Files.names(in: folder, limit: 0) == [])
        _ = try file([])
        #expect(mkdir("\(folder)/another", 0o755) == 0)
        #expect(Files.names(in: folder, limit: 2) == ["another", "file"])
        #expect(Files.names(in: folder, limit: 1) == nil && errno == E2BIG)
        #expect(Files.names(in: "\(folder)/file", limit: 1) == nil && errno == ENOTDIR)
        #expect(Files.names(in: "\(folder)/none", limit: 1) == nil && errno == ENOENT)
    }

    @Test func onlyRegularFilesAreRead() {
        #expect(failure(folder) == EISDIR)
        #expect(mkfifo("\(folder)/pipe", 0o600) == 0)
        #expect(failure("\(folder)/pipe") == EINVAL)
        #expect(failure("\(folder)/none") == ENOENT)
        #expect(Files.withMapped("\(folder)/none") { $0.count } == nil)
    }

    @Test func missingParentFoldersAreCreated() {
        #expect(Files.makeFolder("\(folder)/a/b/c"))
        #expect(Files.makeFolder("\(folder)/a/b/c"))
        #expect(!Files.makeFolder("/proc/a/b"))
    }

    private struct Fields: Decodable {
        enum Kind: String, Decodable { case round }
        struct Input: Decodable { var mean: [Double] }

        var input: Input
        var name: String
        var count: Int?
        var kind: Kind?
        var isOpen: Bool?
    }

    @Test(
        arguments: [
            (#"{"name": "a"}"#, "input is missing: it must be given"),
            (#"{"name": "a", "input": {"mean": [1, "x"]}}"#, "input.mean[1] must be a number"),
            (#"{"name": "a", "input": {"mean": [1, null]}}"#, "input.mean[1] is null: it must be a number"),
            (#"{"name": "a", "input": {"mean": 1}}"#, "input.mean must be a list"),
            (#"{"name": 1, "input": {"mean": []}}"#, "name must be a string"),
            (#"{"name": "a", "input": []}"#, "input must be an object"),
            (#"{"name": "a", "input": {"mean": []}, "count": "x"}"#, "count must be an integer"),
            (#"{"name": "a", "input": {"mean": []}, "isOpen": 1}"#, "isOpen must be true or false"),
            (#"{"name": "a", "input": {"mean": []}, "kind": "flat"}"#, "kind has a value that is not known"),
            ("[]", "the whole must be an object"), ("nothing", nil),
        ] as [(String, String?)])
    func decodingErrorsNameTheField(json: String, complaint: String?) {
        let error = #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(Fields.self, from: Data(json.utf8))
        }
        #expect(error?.complaint == complaint)
    }
}
