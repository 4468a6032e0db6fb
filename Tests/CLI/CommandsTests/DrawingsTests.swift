import BifronsWire
import Glibc
import ImageDecoding
import ImageDrawing
import ProcessSupport
import TestImages
import Testing

@testable import Commands

@Suite struct DrawingsTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("a.jpg", TestImages.jpeg(width: 80, height: 60))
        try folder.write("below/a.jpg", TestImages.jpeg(width: 80, height: 60))
        try folder.write("below/b", TestImages.png(width: 30, height: 40))
    }

    private func drawings(_ out: String, _ arguments: [String]) throws -> (Drawings, [ImageSource]) {
        let names = arguments.map { FileName($0) }
        let sources = ImageSearch(names).sources
        return (try Drawings(out: FileName(out), arguments: names, sources: sources), sources)
    }

    private func result(_ faces: [Box]) -> ResultDocument {
        var result = ResultDocument(id: "1", status: .ok)
        result.verdict = .init(label: .aiGenerated, aiProbability: 0.9, action: .review, policy: "default")
        result.faces = faces.map { .init(box: $0, aiProbability: 0.9, models: []) }
        return result
    }

    private func image(_ path: String) throws -> DecodedImage {
        try ImageDecoder().decode(ImageSearch([FileName(path)]).sources[0].read(limit: 1 << 20))
    }

    @Test func oneImageIsDrawnToTheNamedFile() throws {
        let original = "\(folder.path)/a.jpg"
        for (name, format) in [("out.png", ImageFormat.png), ("deep/er/out.JPG", .jpeg)] {
            let (drawings, sources) = try drawings("\(folder.path)/\(name)", [original])
            let box = Box(x: 10, y: 20, width: 30, height: 30)
            try drawings.write(sources[0], sources[0].read(limit: 1 << 20), result([box]))
            let drawn = try image("\(folder.path)/\(name)")
            #expect(drawn.format == format && drawn.width == 80 && drawn.height == 60)
            #expect(try drawn.image.pixels != image(original).image.pixels)
        }
    }

    @Test func aFoldersImagesAreDrawnToAFolderOfTheSameStructure() throws {
        let out = "\(folder.path)/out"
        let (drawings, sources) = try drawings(out, ["\(folder.path)"])
        for source in sources { try drawings.write(source, source.read(limit: 1 << 20), result([])) }
        #expect(sources.count == 3)
        #expect(try image("\(out)/a.jpg").format == .jpeg)
        #expect(try image("\(out)/below/a.jpg").format == .jpeg)
        // A name without a known suffix gets one.
        #expect(try image("\(out)/below/b.png").format == .png)
    }

    @Test func fileNamesThatAreNotUTF8AreKept() throws {
        let name = FileName(bytes: Array("\(folder.path)/b/".utf8) + [0xE9, 0x2E, 0x70, 0x6E, 0x67])
        try folder.write("b/b", TestImages.png(width: 30, height: 40))
        #expect(name.withCString { rename("\(folder.path)/b/b", $0) } == 0)
        let (drawings, sources) = try drawings("\(folder.path)/out", ["\(folder.path)/b"])
        try drawings.write(sources[0], sources[0].read(limit: 1 << 20), result([]))
        let drawn = FileName(bytes: Array("\(folder.path)/out/".utf8) + [0xE9, 0x2E, 0x70, 0x6E, 0x67])
        #expect(drawn.withCString { access($0, F_OK) } == 0)
    }

    @Test func twoImagesWithTheSameOutputNameAreRefused() throws {
        let arguments = ["\(folder.path)/a.jpg", "\(folder.path)/below/a.jpg"]
        let error = try #require(throws: CommandError.self) { try drawings("\(folder.path)/out", arguments) }
        #expect(error.description.contains("would write both \(arguments[0]) and \(arguments[1])"))
    }

    @Test func theOriginalIsNeverReplaced() throws {
        let original = "\(folder.path)/a.jpg"
        for out in [original, "\(folder.path)/./a.jpg", folder.path] {
            let error = try #require(throws: CommandError.self) { try drawings(out, [original]) }
            #expect(error.description.contains("would replace \(original) itself"))
        }
    }

    @Test func anImageWithoutAVerdictIsNotDrawn() throws {
        let (drawings, sources) = try drawings("\(folder.path)/out.jpg", ["\(folder.path)/a.jpg"])
        let failed = ResultDocument(id: nil, error: WireError(.unprocessable, code: "image_truncated", "the end"))
        try drawings.write(sources[0], [1, 2, 3], failed)
        #expect(access("\(folder.path)/out.jpg", F_OK) != 0)
    }

    @Test func theErrorOfAFailedWriteNamesTheFile() throws {
        let out = "\(folder.path)/a.jpg/out.jpg"
        let (drawings, sources) = try drawings(out, ["\(folder.path)/below/a.jpg"])
        let error = try #require(throws: CommandError.self) {
            try drawings.write(sources[0], sources[0].read(limit: 1 << 20), result([]))
        }
        #expect(error.description.hasPrefix("cannot write \(out): "))
    }

    @Test func facesAndTheirAbsenceAreMarkedWithALabel() throws {
        let image = RGBImage(width: 30, height: 20, pixels: Array(repeating: 0, count: 1800))
        let verdict = try #require(result([]).verdict)
        let nothing = ResultDocument.Verdict(label: .noFace, aiProbability: nil, action: .review, policy: "default")
        let none = Drawings.marks([], nothing, image)
        #expect(none.map(\.label) == ["no face"] && none[0].isDashed && none[0].colour == .neutral)
        // The verdict of a model that looks at whole images.
        let whole = Drawings.marks([], verdict, image)
        #expect(whole.map(\.label) == ["AI 90.0 %"] && whole[0].isDashed && whole[0].colour == .alarm)
        #expect((none[0].x, none[0].y, none[0].width, none[0].height) == (5, 0, 20, 20))
        let faces = result([Box(x: 1, y: 2, width: 3, height: 4)]).faces ?? []
        let one = Drawings.marks(faces, verdict, image)
        #expect(one.map(\.label) == ["AI 90.0 %"] && !one[0].isDashed)
        let turned = faces.flatMap { face in
            [90, -47.3].map { ResultDocument.Face(box: face.box, turned: $0, aiProbability: 0.9, models: []) }
        }
        #expect(Drawings.marks(turned, verdict, image).map(\.label) == ["AI 90.0 % at 90°", "AI 90.0 % at -47°"])
    }
}
