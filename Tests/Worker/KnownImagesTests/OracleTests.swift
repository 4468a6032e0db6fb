import Files
import FoundationEssentials
import Glibc
import ImageDecoding
import KnownImages
import TestKit
import Testing

/// Tests that our PDQ is that of the PyPI package `pdqhash`, which contains the published program.
@Suite(.ownThread) struct OracleTests {
    /// The output of `Oracle/oracle.py` for one image.
    private struct Entry: Decodable {
        var name: String
        var pixels: String
        var width: Int
        var height: Int
        var hash: String
        var quality: Int
        var file: String?
    }

    private static let root = String(#filePath.dropLast("/Tests/Worker/KnownImagesTests/OracleTests.swift".count))

    /// Runs the Python side, with output into `folder`.
    private func entries(in folder: String) throws -> [Entry] {
        let command = """
            cd '\(Self.root)' && scripts/python-environment .venv-test Tests/requirements.txt && \
            .venv-test/bin/python Tests/Worker/KnownImagesTests/Oracle/oracle.py '\(folder)'
            """
        let pipe = try #require(popen("{ \(command); } 2>&1", "r"))
        var said: [UInt8] = []
        while case let byte = fgetc(pipe), byte != EOF { said.append(UInt8(byte)) }
        try #require(pclose(pipe) == 0, "\(String(decoding: said, as: UTF8.self))")
        let json = try #require(Files.contents(of: "\(folder)/oracle.json", limit: 1 << 24))
        return try JSONDecoder().decode([Entry].self, from: Data(json))
    }

    @Test func hashesAreThoseOfTheReference() throws {
        let folder = try Folder()
        var (arrays, files, smaller, matching) = (0, 0, 0, 0)
        for entry in try entries(in: folder.path) {
            let expected = try #require(Bits256(hexadecimal: entry.hash))
            guard let path = entry.file else {
                let pixels = try #require(Files.contents(of: entry.pixels, limit: 1 << 26))
                let pdq = PDQ(of: RGBImage(width: entry.width, height: entry.height, pixels: pixels))
                #expect(pdq == PDQ(hash: expected, quality: entry.quality), "\(entry.name)")
                arrays += 1
                matching += pdq.isReliable ? 1 : 0
                continue
            }
            // Decoders differ a little in rounding. Where the quality is lower, that can change more bits.
            guard entry.quality >= 80 else { continue }
            let file = try #require(Files.contents(of: path, limit: 1 << 26))
            let decoded = try ImageDecoder().decode(file, reduction: PDQ.reduction)
            let pdq = PDQ(of: decoded.image)
            #expect(pdq.hash.distance(to: expected) <= 10, "\(entry.name): \(pdq.hash), reference \(expected)")
            #expect(pdq.quality >= 70, "\(entry.name)")
            files += 1
            smaller += decoded.reduction > 1 ? 1 : 0
        }
        #expect(arrays == 105 && matching > 40)
        #expect(files > 30 && smaller > 0)
    }
}
