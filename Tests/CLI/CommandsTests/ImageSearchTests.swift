import Glibc
import ProcessSupport
import TestImages
import Testing

@testable import Commands

@Suite struct ImageSearchTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func search(_ path: String? = nil) -> ImageSearch { ImageSearch([FileName(path ?? folder.path)]) }

    private func found(_ search: ImageSearch) -> [String] { search.sources.map(\.relativeName.text) }

    @Test func foldersAreSearchedForImagesInOrder() throws {
        let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        try folder.write("b.JPG", [])
        try folder.write("a/z.png", [])
        try folder.write("a/y.jpeg", [])
        try folder.write("c", png)
        try folder.write("d.dat", [0xFF, 0xD8, 0xFF, 0xE0])
        try folder.write("notes.txt", Array("hello, you".utf8))
        try folder.write("empty", [])
        try folder.write(".hidden.jpg", [])
        try folder.write(".git/x.jpg", [])
        let search = search()
        let expected = ["/a/y.jpeg", "/a/z.png", "/b.JPG", "/c", "/d.dat"]
        #expect(search.sources.map(\.name.text) == expected.map { folder.path + $0 })
        #expect(self.search(folder.path + "/").sources.map(\.name) == search.sources.map(\.name))
        #expect(
            search.passedOver.summary == "passed over 4 that are no images: 2 hidden, 1 .txt, 1 without a suffix")
    }

    @Test func namedFilesAreTakenWithoutChecks() {
        let (input, notes) = (FileName("-"), FileName("folder/notes.txt"))
        let search = ImageSearch([input, notes])
        #expect(
            search.sources == [
                .init(name: input, place: .standardInput, relativeName: FileName("standard-input")),
                .init(name: notes, place: .named(notes), relativeName: FileName("notes.txt")),
            ])
        #expect(search.passedOver.summary == nil)
    }

    @Test(arguments: [
        "a.webp", "a.HEIC", "a.heif", "a.avif", "a.tif", "a.TIFF", "a.gif", "a.bmp", "a.svg", "a.ico", "a.jxl", "a.jp2",
        "a.psd", "a.dng", "a.CR2", "a.nef", "a.arw", "a.jfif", "a.jpe",
    ])
    func filesWithAnImageSuffixAreFoundEvenIfUnsupportedOrEmpty(name: String) throws {
        try folder.write(name, [])
        #expect(found(search()) == [name] && search().passedOver.summary == nil)
    }

    @Test(arguments: [
        Array("GIF89a".utf8), Array("RIFF1234WEBPVP8 ".utf8), Array("II*\0\u{8}\0\0\0".utf8), Array("MM\0*".utf8),
        Array("\0\0\0\u{14}ftypheic\0\0\0\0heic".utf8), Array("\0\0\0\u{14}ftypavif\0\0\0\0avif".utf8),
        Array("BM\0\0\0\0\0\0\0\0\u{36}\0\0\0".utf8), [0xFF, 0x0A, 1], Array("8BPS".utf8),
        Array("<svg xmlns='x'/>".utf8), [0xFF, 0xD8, 0xFF, 0xE0],
    ])
    func filesWithAnImageSignatureAreFoundUnderAnyName(start: [UInt8]) throws {
        for name in ["4711", "upload.tmp", "notes.txt"] { try folder.write(name, start) }
        #expect(found(search()) == ["4711", "notes.txt", "upload.tmp"])
    }

    @Test func otherFilesAreCountedByKind() throws {
        for (name, bytes) in [
            ("a.txt", "text"), ("b.TXT", "text"), ("c.json", "{}"), ("d.pdf", "%PDF-1.7"), ("e.zip", "PK\u{3}\u{4}"),
            ("f.mp4", "\0\0\0\u{10}ftypisom"), ("Thumbs.db", "1"), ("README", "text"), (".DS_Store", "1"),
            ("._a.jpg", "1"), ("a.jpg.xmp", "<x/>"), ("long.name-that-is-no-suffix", "1"), ("trailing.", "1"),
        ] { try folder.write(name, Array(bytes.utf8)) }
        #expect(search().sources.isEmpty)
        #expect(
            search().passedOver.summary
                == "passed over 13 that are no images: 3 without a suffix, 2 .txt, 2 hidden, 1 .db, 1 .json, 1 .mp4, "
                + "1 .pdf, 1 .xmp, 1 .zip")
    }

    @Test func theSummaryListsALimitedNumberOfKinds() {
        var passedOver = PassedOver()
        for number in 10..<40 { passedOver.count(.file(suffix: "k\(number)")) }
        let summary = passedOver.summary ?? ""
        #expect(summary.hasPrefix("passed over 30 that are no images: 1 .k10, 1 .k11,"))
        #expect(summary.hasSuffix("1 .k21, 18 of other kinds"))
        passedOver = PassedOver()
        passedOver.count(.pipe)
        #expect(passedOver.summary == "passed over 1 that is no image: 1 named pipe")
    }

    @Test(.timeLimit(.minutes(1))) func specialFilesAreCountedButNeverOpened() throws {
        for name in ["pipe", "pipe.jpg"] { #expect(mkfifo("\(folder.path)/\(name)", 0o600) == 0) }
        let descriptor = try listener(at: "\(folder.path)/socket.png")
        defer { close(descriptor) }
        try folder.write("a.jpg", [])
        symlink("/dev/zero", "\(folder.path)/zero.jpg")
        symlink("pipe", "\(folder.path)/linked.png")
        #expect(found(search()) == ["a.jpg"])
        #expect(
            search().passedOver.summary
                == "passed over 5 that are no images: 3 named pipes, 1 device, 1 socket")
    }

    private func listener(at path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) == 0 }
        }
        try #require(isBound)
        return descriptor
    }

    @Test(.timeLimit(.minutes(1))) func linksAreFollowedToFilesButNotToFolders() throws {
        try folder.write("real/a.jpg", [])
        for (target, name) in [
            ("real", "linked"), ("..", "real/loop"), (".", "real/self"), ("real/a.jpg", "b.jpg"), ("nowhere", "broken"),
            ("nowhere", "broken.jpg"), ("c.png", "c.png"), ("d", "d"),
        ] { symlink(target, "\(folder.path)/\(name)") }
        #expect(found(search()) == ["b.jpg", "broken.jpg", "c.png", "real/a.jpg"])
        #expect(
            search().passedOver.summary
                == "passed over 5 that are no images: 3 links to folders, 2 broken links")
        // A link given as an argument is followed.
        #expect(found(search("\(folder.path)/linked")) == ["a.jpg"])
        let broken = try #require(search().sources.first { $0.relativeName == FileName("c.png") })
        #expect(#expect(throws: ImageSource.ReadError.self) { try broken.read(limit: 1) }?.code == "file_unreadable")
    }

    @Test func unreadableFilesAndFoldersAreReportedInOrder() throws {
        try folder.write("a.jpg", [])
        try folder.write("closed/b.jpg", [])
        try folder.write("notes.txt", [])
        try folder.write("z.jpg", [])
        chmod("\(folder.path)/closed", 0)
        chmod("\(folder.path)/notes.txt", 0)
        defer { chmod("\(folder.path)/closed", 0o700) }
        // Root may read everything, so this thread gives that up during the search. (The module Glibc lacks the call.)
        typealias SetUser = @convention(c) (uid_t) -> Int32
        let setUser = unsafeBitCast(try #require(dlsym(nil, "setfsuid")), to: SetUser.self)
        let isRoot = geteuid() == 0
        if isRoot {
            chmod(folder.path, 0o755)
            _ = setUser(65_534)
        }
        defer { if isRoot { _ = setUser(0) } }
        let search = search()
        #expect(found(search) == ["a.jpg", "closed", "notes.txt", "z.jpg"])
        for (index, code) in [(1, "folder_unreadable"), (2, "file_unreadable")] {
            let error = #expect(throws: ImageSource.ReadError.self) { try search.sources[index].read(limit: 10) }
            #expect(error?.code == code && error?.message.hasSuffix("Permission denied") == true)
        }
    }

    @Test func filesWithNamesThatAreNotUTF8AreRead() throws {
        for name in [[0x63, 0xE9, 0x2E, 0x6A, 0x70, 0x67], [0xFF, 0x2E, 0x70, 0x6E, 0x67]] as [[UInt8]] {
            let path = FileName(bytes: Array("\(folder.path)/".utf8) + name)
            let file = try #require(path.withCString { fopen($0, "w") })
            fputs("bytes", file)
            fclose(file)
        }
        let search = search()
        #expect(found(search) == ["c\\xE9.jpg", "\\xFF.png"])
        for source in search.sources {
            #expect(try source.read(limit: 10) == Array("bytes".utf8))
            // The same file, given as an argument.
            #expect(try ImageSearch([source.name]).sources[0].read(limit: 10) == Array("bytes".utf8))
        }
    }
}
