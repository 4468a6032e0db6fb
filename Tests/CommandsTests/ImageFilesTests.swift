import Testing

@testable import Commands

@Suite struct ImageFilesTests {
    @Test func foldersAreSearchedForImagesInOrder() throws {
        let folder = try TemporaryFolder()
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
        let found = ImageSource.find([folder.path]).map { String($0.name.dropFirst(folder.path.count)) }
        #expect(found == ["/a/y.jpeg", "/a/z.png", "/b.JPG", "/c", "/d.dat"])
        #expect(ImageSource.find([folder.path + "/"]).map(\.name) == ImageSource.find([folder.path]).map(\.name))
    }

    @Test func whatIsNamedIsTakenAsItIs() {
        #expect(
            ImageSource.find(["-", "notes.txt"])
                == [
                    .init(name: "-", place: .standardInput, relativeName: "standard-input"),
                    .init(name: "notes.txt", place: .file("notes.txt"), relativeName: "notes.txt"),
                ])
    }

    @Test func filesAreReadUpToTheLimit() throws {
        let folder = try TemporaryFolder()
        try folder.write("a", Array(repeating: 7, count: 100_000))
        let source = ImageSource.find(["\(folder.path)/a"])[0]
        #expect(try source.read(limit: 100_000) == Array(repeating: 7, count: 100_000))
        #expect(
            #expect(throws: ImageSource.ReadError.self) { try source.read(limit: 99_999) }?.code == "image_too_large")
        let missing = ImageSource.find(["/nowhere"])[0]
        let error = #expect(throws: ImageSource.ReadError.self) { try missing.read(limit: 1) }
        #expect(error?.message == "cannot read the file: No such file or directory")
    }
}
