import Files
import ImageDecoding
import TestImages
import Testing

@testable import Inference

@Suite struct LocatorTests {
    private static let folder =
        String(#filePath.dropLast("Tests/Worker/InferenceTests/LocatorTests.swift".count)) + "Models/locator"

    /// The canary image, which has a face, and images of other sizes.
    private static func files() throws -> [[UInt8]] {
        [try #require(Files.contents(of: "\(folder)/canary.png", limit: 1 << 24))]
            + (1...7).map { TestImages.jpeg(width: 120 * $0, height: 700 - 90 * $0, quality: 80) }
    }

    private static func cut(_ file: [UInt8], by cutter: ImageCutter) throws -> LocatedImage {
        let specification = CropGeometry(kind: .face(margin: 1.6), width: 16, height: 16)
        return try file.withUnsafeBytes { try cutter.cut($0, as: [specification]) }
    }

    @Test(arguments: [1, 3]) func concurrentThreadsGetTheSameCropsAsASingleThread(concurrency: Int) async throws {
        let engine = try Engine.load()
        let alone = ImageCutter(locator: try Locator(folder: Self.folder, engine: engine), decoder: ImageDecoder())
        let files = try Self.files()
        let expected = try files.map { try Self.cut($0, by: alone) }
        #expect(expected[0].facesFound == 1)

        let locator = try Locator(folder: Self.folder, engine: engine, concurrency: concurrency)
        let cutter = ImageCutter(locator: locator, decoder: ImageDecoder())
        try await withThrowingTaskGroup(of: (Int, LocatedImage).self) { group in
            for index in 0..<(4 * files.count) {
                group.addTask { (index % files.count, try Self.cut(files[index % files.count], by: cutter)) }
            }
            for try await (index, cut) in group {
                #expect(cut.crops == expected[index].crops && cut.facesFound == expected[index].facesFound)
                #expect(cut.faces.map(\.box) == expected[index].faces.map(\.box))
                #expect(cut.faces.map(\.turn) == expected[index].faces.map(\.turn))
            }
        }
    }

    @Test func aLocatorFindsBitwiseEqualFacesAtAnyConcurrency() throws {
        let engine = try Engine.load()
        let file = try Self.files()[0]
        let image = try ImageDecoder().decode(file)
        let faces = try Locator(folder: Self.folder, engine: engine).faces(in: image)
        #expect(!faces.isEmpty)
        for concurrency in [2, 5] {
            #expect(
                try Locator(folder: Self.folder, engine: engine, concurrency: concurrency).faces(in: image) == faces)
        }
    }

    /// The benchmarks measure with these portraits. A face of which the locator is not sure makes it look at the image
    /// turned, too.
    @Test(arguments: [(768, 900), (900, 768), (400, 300), (660, 660), (208, 208)])
    func theLocatorIsSureOfTheFaceOfADrawnPortrait(size: (width: Int, height: Int)) throws {
        let locator = try Locator(folder: Self.folder, engine: Engine.load())
        let file = TestImages.jpeg(width: size.width, height: size.height, quality: 85, pattern: .portrait)
        let faces = try locator.faces(in: try ImageDecoder().decode(file))
        #expect(faces.count == 1)
        // The logit of the probability 0.8, the manifest's output.turned.below.
        #expect(try #require(faces.first).logit > 1.387)
    }
}
