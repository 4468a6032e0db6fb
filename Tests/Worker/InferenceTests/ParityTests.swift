import Dispatch
import Files
import FoundationEssentials
import Glibc
import ImageDecoding
import TestKit
import Testing

@testable import Inference

/// Tests that training (Python) and serving (Swift) make the same crops (docs/preprocessing.md) and score them alike.
///
/// BIFRONS_PARITY_IMAGES names a folder of further images to compare; up to 200 of them are used.
@Suite(.ownThread) struct ParityTests {
    /// The output of `bifrons_training.publishing.parity` in `Models/training` for one image.
    private struct Entry: Decodable {
        var file: String
        var error: String?
        var width: Int?
        var height: Int?
        var reduction: Int?
        var boxes: [[Int]]?
        /// The cosine and sine of the angle by which all landmarks were turned.
        var landmarkTurn: [Double]?
        /// The turn of each face in degrees, after that.
        var turned: [Double]?
        /// The name of a file with the bytes of all crops, one after another.
        var views: String?
        /// Each model's probability for each crop, by "model precision".
        var probabilities: [String: [Double]]?
    }

    /// The largest allowed difference between two probabilities of one network. In int8 the last bit of a pixel has
    /// more effect.
    private static let tolerances: [Manifest.Precision: Double] = [.f32: 0.005, .int8: 0.03]

    private static let root = String(#filePath.dropLast("/Tests/Worker/InferenceTests/ParityTests.swift".count))

    /// Runs the Python side, with output into `folder`.
    private func entries(_ arguments: String, in folder: String) throws -> [Entry] {
        _ = try Self.output(
            """
            cd '\(Self.root)' && scripts/python-environment .venv-test Tests/requirements.txt && \
            PYTHONPATH=Models/training:vendor/openvino \
            .venv-test/bin/python -m bifrons_training.publishing.parity --out '\(folder)' \(arguments)
            """)
        let json = try #require(Files.contents(of: "\(folder)/parity.json", limit: 1 << 26))
        return try JSONDecoder().decode([Entry].self, from: Data(json))
    }

    private static func portrait() throws -> String {
        let files = try output("dpkg -L python-matplotlib-data | grep '/grace_hopper\\.jpg$'")
        return String(files.prefix { $0 != "\n" })
    }

    /// Returns the output of a shell command, which must succeed.
    private static func output(_ command: String) throws -> String {
        let pipe = try #require(popen("{ \(command); } 2>&1", "r"))
        var said: [UInt8] = []
        while case let byte = fgetc(pipe), byte != EOF { said.append(UInt8(byte)) }
        let text = String(decoding: said, as: UTF8.self)
        try #require(pclose(pipe) == 0, "\(command): \(text)")
        return text
    }

    private struct Counts {
        var images = 0
        var faces = 0
        /// The number of faces turned by a multiple of 90°.
        /// The number of faces turned by other angles.
        var quarters = 0
        var between = 0
        /// The number of images whose crops are equal to the byte.
        var exact = 0
    }

    private func compare(_ entries: [Entry]) throws -> Counts {
        let engine = try Engine.load()
        let specification = try Manifest.load(folder: "\(Self.root)/Models/resnet").cropGeometry
        let locator = try Locator(folder: "\(Self.root)/Models/locator", engine: engine)
        var models: [String: (model: Model, tolerance: Double)] = [:]
        for key in entries.lazy.compactMap(\.probabilities).first?.keys.sorted() ?? [] {
            let words = key.split(separator: " ").map(String.init)
            let precision = try #require(Manifest.Precision(rawValue: words[1]))
            let model = try Model(folder: "\(Self.root)/Models/\(words[0])", engine: engine, precision: precision)
            models[key] = (model, try #require(Self.tolerances[precision]))
        }
        #expect(models.keys.contains("resnet f32") && models.keys.contains("inception f32"))
        var counts = Counts()
        for entry in entries {
            let file = try #require(Files.contents(of: entry.file, limit: 1 << 26), "\(entry.file)")
            let cutter = ImageCutter { image throws(InferenceError) in
                try locator.faces(in: image).map { Self.turned($0, by: entry.landmarkTurn ?? [1, 0]) }
            }
            let result = Result { try file.withUnsafeBytes { try cutter.cut($0, as: [specification]) } }
            guard entry.error == nil else {
                #expect(throws: (any Error).self, "\(entry.file)") { try result.get() }
                continue
            }
            let cut = try result.get()
            #expect(cut.width == entry.width && cut.height == entry.height, "\(entry.file)")
            let boxes = try #require(entry.boxes)
            let found = cut.faces.map(\.box)
            try #require(found.count == boxes.count, "\(entry.file): \(found) in Swift, \(boxes) in Python")
            for (box, other) in zip(found, boxes) {
                let sides = [box.x, box.y, box.width, box.height]
                #expect(zip(sides, other).allSatisfy { abs($0 - $1) <= 1 }, "\(entry.file): \(sides), \(other)")
            }
            let turns = cut.faces.map(\.turn.degrees)
            let others = found.isEmpty ? [] : try #require(entry.turned)
            try #require(turns.count == others.count, "\(entry.file)")
            #expect(zip(turns, others).allSatisfy { abs($0 - $1) < 0.11 }, "\(entry.file): \(turns), \(others)")
            let views = try #require(Files.contents(of: entry.views ?? "", limit: 1 << 26), "\(entry.file)")
            let crops = cut.crops[0].pixels
            try #require(views.count == crops.count, "\(entry.file)")
            let distance = Self.distance(crops, views)
            #expect(distance <= 1.0 / 255, "\(entry.file): the squares differ by \(distance * 255)/255 on average")
            let probabilities = try #require(entry.probabilities)
            #expect(Set(probabilities.keys) == Set(models.keys))
            for (key, expected) in probabilities {
                guard let (model, tolerance) = models[key] else { continue }
                try #require(model.manifest.cropGeometry == specification)
                let scores = try crops.withUnsafeBytes { try model.score(crops: $0) }
                    .map { 1 / (1 + exp(-Double(try $0.get().logit))) }
                try #require(scores.count == expected.count, "\(entry.file)")
                for (score, other) in zip(scores, expected) {
                    #expect(abs(score - other) <= tolerance, "\(entry.file), \(key): \(score), in Python \(other)")
                }
            }
            counts.images += 1
            counts.faces += found.count
            counts.quarters += cut.faces.count { $0.turn != .upright && $0.turn.wholeQuarters != nil }
            counts.between += cut.faces.count { $0.turn.wholeQuarters == nil }
            counts.exact += distance == 0 ? 1 : 0
        }
        return counts
    }

    /// Returns a face with its landmarks turned around the nose.
    private static func turned(_ face: Face, by turn: [Double]) -> Face {
        var face = face
        let nose = face.landmarks[2]
        face.landmarks = face.landmarks.map { point in
            let (x, y) = (point.x - nose.x, point.y - nose.y)
            return Face.Point(
                x: nose.x + (x * turn[0] - y * turn[1]), y: nose.y + (x * turn[1] + y * turn[0]))
        }
        return face
    }

    /// Returns the mean absolute difference, from 0 to 1.
    private static func distance(_ crops: [UInt8], _ views: [UInt8]) -> Double {
        let sum = zip(crops, views).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
        return Double(sum) / Double(max(crops.count, 1)) / 255
    }

    /// Compares on a separate thread, because half a minute of work must not block the few threads that tests share.
    private func compare(_ arguments: @escaping @Sendable () throws -> String) async throws -> Counts {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "parity").async {
                continuation.resume(
                    with: Result {
                        let folder = try ModelFolder()
                        return try compare(entries(arguments(), in: folder.path))
                    })
            }
        }
    }

    @Test func trainingAndServingMakeTheSameCropsAndScores() async throws {
        let counts = try await compare { try "--make 200 --portrait '\(Self.portrait())'" }
        #expect(counts.images == 200)
        #expect(counts.faces > 100)
        #expect(counts.quarters > 20 && counts.between > 20)
        // On one machine all images are equal, unless the locator's last bits differ between two calls.
        #expect(counts.exact > 190)
    }

    #if HEIF
        /// Python's libraries convert planes to RGB in ways of their own.
        @Test func avifAndHEICComeOutNearlyAsInPython() throws {
            let folder = try ModelFolder()
            _ = try Self.output(
                """
                cd '\(Self.root)' && scripts/python-environment .venv-test Tests/requirements.txt && \
                PYTHONPATH=Models/training .venv-test/bin/python -m bifrons_training.publishing.parity_heif \
                --out '\(folder.path)' --portrait '\(Self.portrait())'
                """)
            let formats = Array(repeating: "avif", count: 5) + Array(repeating: "heic", count: 4)
            for (number, format) in formats.enumerated() {
                let path = "\(folder.path)/\(number).\(format)"
                let file = try #require(Files.contents(of: path, limit: 1 << 24))
                let expected = try #require(Files.contents(of: path + ".rgb", limit: 1 << 24))
                let image = try ImageDecoder().decode(file).image
                try #require(image.pixels.count == expected.count, "\(path)")
                #expect(Self.distance(image.pixels, expected) < 1.5 / 255, "\(path)")
            }
        }
    #endif

    @Test(.enabled(if: getenv("BIFRONS_PARITY_IMAGES") != nil))
    func trainingAndServingMakeTheSameCropsAndScoresOfGivenImages() async throws {
        let images = String(cString: getenv("BIFRONS_PARITY_IMAGES"))
        let counts = try await compare { "--images '\(images)' --most 200" }
        print(
            """
            parity: \(counts.images) images, \(counts.faces) faces, of which \(counts.quarters) were turned by whole \
            quarters and \(counts.between) by other angles, \(counts.exact) images equal to the byte
            """)
    }
}
