import Glibc
import ProcessSupport
import Reactor
import Testing

@testable import Commands

@Suite(.timeLimit(.minutes(1))) struct ImageSourceTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func named(_ name: String) -> ImageSource { ImageSearch([FileName("\(folder.path)/\(name)")]).sources[0] }

    private func error(_ read: () throws -> [UInt8]) -> ImageSource.ReadError? {
        #expect(throws: ImageSource.ReadError.self) { try read() }
    }

    @Test func filesAreReadUpToTheLimit() throws {
        try folder.write("a", Array(repeating: 7, count: 100_000))
        #expect(try named("a").read(limit: 100_000) == Array(repeating: 7, count: 100_000))
        #expect(error { try named("a").read(limit: 99_999) }?.code == "image_too_large")
        #expect(error { try named("b").read(limit: 1) }?.message == "cannot read the file: No such file or directory")
    }

    @Test func aNamedPipeIsReadToItsEnd() throws {
        let path = "\(folder.path)/pipe"
        #expect(mkfifo(path, 0o600) == 0)
        let bytes = (0..<200_000).map { UInt8($0 % 251) }
        // Opening waits until there is a reader, as `cat image > pipe` does.
        let writer = try PlatformThread(name: "writer") {
            guard let file = fopen(path, "w") else { return }
            fwrite(bytes, 1, bytes.count, file)
            fclose(file)
        }
        #expect(try named("pipe").read(limit: 1 << 20, patience: .seconds(30)) == bytes)
        writer.join()
    }

    @Test func aPipeWithoutAnEndTimesOut() throws {
        let path = "\(folder.path)/pipe"
        #expect(mkfifo(path, 0o600) == 0)
        let late = error { try named("pipe").read(limit: 10, patience: .milliseconds(50)) }
        #expect(late?.message.contains("pipe") == true)
        // A writer that stops writing but does not close the pipe.
        let writer = open(path, O_RDWR)
        defer { close(writer) }
        write(writer, "abc", 3)
        #expect(error { try named("pipe").read(limit: 10, patience: .milliseconds(50)) }?.code == "file_unreadable")
    }

    @Test func devicesAreReadUpToTheLimitAndReplacedFilesAreRefused() throws {
        let zero = ImageSearch([FileName("/dev/zero")]).sources[0]
        #expect(error { try zero.read(limit: 100_000) }?.code == "image_too_large")
        #expect(try ImageSearch([FileName("/dev/null")]).sources[0].read(limit: 10) == [])
        // A file that was replaced by a pipe after the folder was searched.
        #expect(mkfifo("\(folder.path)/a.jpg", 0o600) == 0)
        let path = FileName("\(folder.path)/a.jpg")
        let source = ImageSource(name: path, place: .file(path), relativeName: path)
        #expect(error { try source.read(limit: 10) }?.message == "cannot read the file: it is not a file any more")
    }
}
