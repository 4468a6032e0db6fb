import Glibc
import Hashing
import ImageDecoding
import Testing

@testable import Inference

@Suite struct ModelTests {
    private let colours: [(UInt8, UInt8, UInt8)] = [
        (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (17, 34, 51),
    ]

    private func logits(_ model: Model) throws -> [Float] {
        try model.score(colours.map { solid($0.0, $0.1, $0.2) }).map { try $0.get() }
    }

    private func expected(_ transform: (Float) -> Float = { $0 }) -> [Float] {
        colours.map { transform(score($0.0, $0.1, $0.2)) }
    }

    private func expectClose(_ left: [Float], _ right: [Float], _ comment: Comment? = nil) {
        #expect(left.count == right.count && zip(left, right).allSatisfy { isClose($0, $1) }, "\(left) \(right)")
    }

    @Test func aLogitOutputIsReturnedUnchanged() throws {
        let model = try ModelFolder("logit").model()
        expectClose(try logits(model), expected())
        #expect(model.imagesPerPass == 16)
        #expect(model.digest == "sha256:\(model.manifest.sha256)")
    }

    @Test func everyKindOfOutputIsConvertedToALogit() throws {
        let output = { (kind: String) in "{\"kind\": \(kind)}" }
        for (network, kind, factor) in [
            ("probability", "\"probability\"", Float(1)), ("two_class", "\"two_class\", \"ai_index\": 0", 2),
            ("two_class", "\"two_class\", \"ai_index\": 1", -2),
            ("two_class_probability", "\"two_class_probability\", \"ai_index\": 0", 2),
            ("two_class_probability", "\"two_class_probability\", \"ai_index\": 1", -2),
        ] {
            let model = try ModelFolder(network, ["output": output(kind)]).model()
            expectClose(try logits(model), expected { $0 * factor }, "\(network) \(kind)")
        }
    }

    @Test func theManifestSelectsChannelsLastAndBGR() throws {
        let nhwc = try ModelFolder("logit_nhwc", ["input": ModelFolder.input(layout: "NHWC")]).model()
        expectClose(try logits(nhwc), expected())
        let bgr = try ModelFolder("logit", ["input": ModelFolder.input(colour: "BGR")]).model()
        expectClose(try logits(bgr), colours.map { score($0.2, $0.1, $0.0) })
    }

    @Test func calibrationIsLinear() throws {
        let model = try ModelFolder("logit", ["calibration": #"{"scale": -0.5, "bias": 2}"#]).model()
        expectClose(try logits(model), expected { -0.5 * $0 + 2 })
    }

    @Test func tensorsAreSelectedByName() throws {
        let input = ModelFolder.input(extra: #", "name": "image""#)
        let model = try ModelFolder("two_outputs", ["input": input, "output": #"{"name": "answer", "kind": "logit"}"#])
            .model()
        expectClose(try logits(model), expected())
    }

    @Test func aNetworkOfBatchSizeOneScoresImagesOneByOne() throws {
        let model = try ModelFolder("fixed_batch_1").model()
        #expect(model.imagesPerPass == 1)
        expectClose(try logits(model), expected())
        expectClose(try logits(model), expected())
    }

    @Test func anImagesScoreDoesNotDependOnItsBatch() throws {
        let model = try ModelFolder("logit").model(maximumBatch: 8)
        for count in [1, 8, 3, 1, 5, 8, 2] {
            let images = (0..<count).map { solid(UInt8($0 * 30), 100, 7) }
            let together = try model.score(images).map { try $0.get() }
            expectClose(together, (0..<count).map { score(UInt8($0 * 30), 100, 7) })
        }
    }

    @Test func moreImagesThanTheMaximumBatchAreScoredInSeveralPasses() throws {
        let model = try ModelFolder("logit").model(maximumBatch: 4)
        let images = (0..<11).map { solid(UInt8($0 * 20), 100, 7) }
        expectClose(try model.score(images).map { try $0.get() }, (0..<11).map { score(UInt8($0 * 20), 100, 7) })
        var passes = 0
        let crops = [UInt8](repeating: 0, count: 11 * model.manifest.cropGeometry.byteCount)
        _ = try crops.withUnsafeBytes { try model.score(crops: $0) { passes += 1 } }
        #expect(passes == 3)
    }

    @Test func aNonFiniteAnswerFailsOnlyItsOwnImage() throws {
        // The network computes the logarithm of the score, which is a number only for bright images.
        let model = try ModelFolder("not_a_number_for_dark").model()
        let results = try model.score([solid(255, 255, 255), solid(0, 0, 0), solid(255, 255, 255)])
        #expect(isClose(try results[0].get(), log(Float(4))))
        #expect(isClose(try results[2].get(), log(Float(4))))
        let error = try failure { try results[1].get() }
        #expect(error.code == .outputInvalid)
        #expect(error.message.contains("model tiny answers"))
    }

    @Test func probabilitiesOfZeroAndOneGiveFiniteLogitsAndInvalidOnesAreErrors() throws {
        let manifest = try ModelFolder("probability", ["output": #"{"kind": "probability"}"#]).manifest()
        #expect(try manifest.calibratedLogit([0]).get() < -15)
        #expect(try manifest.calibratedLogit([1]).get() > 15)
        #expect(try manifest.calibratedLogit([0.5]).get() == 0)
        for value in [Float.nan, 1.5, -0.5, .infinity] {
            #expect(try failure { try manifest.calibratedLogit([value]).get() }.code == .outputInvalid)
        }
    }

    @Test func aCalibratedLogitThatOverflowsIsAnError() throws {
        let manifest = try ModelFolder("logit", ["calibration": #"{"scale": 1e30, "bias": 0}"#]).manifest()
        #expect(try failure { try manifest.calibratedLogit([1e30]).get() }.code == .outputInvalid)
    }

    /// A network, the fields that do not match it, and the error's text.
    private static let misfits: [(network: String, fields: [String: String?], named: String)] = [
        ("logit", ["input": ModelFolder.input(width: "16")], "input.width is 16, and the network's input is [?,3,8,8]"),
        ("logit", ["input": ModelFolder.input(height: "4")], "input.height is 4"),
        ("logit", ["input": ModelFolder.input(layout: "NHWC")], "input.layout is NHWC"),
        ("logit_nhwc", [:], "input.layout is NCHW"),
        (
            "logit", ["input": ModelFolder.input(extra: #", "name": "pixels""#)],
            "input.name is \"pixels\", and the network's input is \"image\""
        ),
        (
            "logit", ["output": #"{"kind": "logit", "name": "score"}"#],
            "output.name is \"score\", and the network's output is \"answer\""
        ),
        (
            "logit", ["output": #"{"kind": "two_class", "ai_index": 1}"#],
            "output.kind is two_class, and that is 2 numbers an image, while the network's output is [?,1]"
        ),
        ("two_class", [:], "output.kind is logit, and that is 1 number an image, while the network's output is [?,2]"),
        ("two_outputs", [:], "the network has 2 outputs: say which one in output.name"),
        (
            "map", ["output": #"{"kind": "logit", "name": "answer", "map": "heat"}"#],
            "output.map is \"heat\", and the network's output is \"answer\", \"map\""
        ),
        (
            "flat_map", ["output": #"{"kind": "logit", "name": "answer", "map": "map"}"#],
            "output.map is \"map\", and that output is [?,64] instead of [batch,height,width]"
        ),
        (
            "long_map", ["output": #"{"kind": "logit", "name": "answer", "map": "map"}"#],
            "output.map is \"map\", and that output is [?,2,32] instead of [batch,height,width] with 1 to 16 cells a side"
        ),
        ("two_inputs", [:], "the network has 2 inputs"),
        ("gray", [:], "must take three channels"),
        ("bytes", [:], "the network's input is not of 32-bit floats"),
        ("fixed_batch_4", [:], "the network takes [4,3,8,8], never one image"),
    ]

    @Test(arguments: misfits.indices)
    func aManifestThatDoesNotMatchTheNetworkIsRefusedWithTheField(index: Int) throws {
        let (network, fields, named) = Self.misfits[index]
        let folder = try ModelFolder(network, fields)
        let error = try failure { try folder.model() }
        #expect(error.code == .graphMismatch)
        #expect(error.message.contains(named) && error.message.contains(folder.path), "\(error)")
    }

    @Test func weightsOfAnotherDigestThanTheManifestsAreRefused() throws {
        let folder = try ModelFolder()
        var bytes = try ModelFolder.fixture("logit.onnx")
        bytes[bytes.count / 2] ^= 1
        try folder.write("model.onnx", bytes)
        let error = try failure { try folder.model() }
        #expect(error.code == .weightsMismatch)
        #expect(error.message.contains("\(folder.path)/model.onnx has the SHA-256"))
    }

    @Test func missingWeightsAreNamed() throws {
        let folder = try ModelFolder("logit", ["file": #""other.onnx""#])
        let error = try failure { try folder.model() }
        #expect(error.code == .weightsMissing)
        #expect(error.message.contains("\(folder.path)/other.onnx cannot be read"))
    }

    @Test func weightsOutsideTheFileAreRefused() throws {
        let error = try failure { try ModelFolder("external").model() }
        #expect(error.code == .weightsMismatch)
        #expect(error.message.contains("keeps weights in another file"))
    }

    @Test func aFileThatIsNotANetworkIsAnEngineError() throws {
        let text = Array("This is not a network.".utf8)
        let folder = try ModelFolder("logit", ["sha256": "\"\(SHA256.hexDigest(of: text))\""])
        try folder.write("model.onnx", text)
        let error = try failure { try folder.model() }
        #expect(error.code == .engineFailed)
        #expect(error.message.hasPrefix("OpenVINO 2026.4.1 cannot compile \(folder.path)/model.onnx"))
        #expect(!error.message.contains("\n"))
    }

    @Test func theCacheIsWrittenOnceAndUsedAfterwards() throws {
        let folder = try ModelFolder()
        let cache = "\(folder.path)/cache/of/networks"
        #expect(try folder.model().cacheUse == .off)
        #expect(try folder.model(cacheFolder: cache).cacheUse == .written)
        let warm = try folder.model(cacheFolder: cache)
        #expect(warm.cacheUse == .used)
        expectClose(try logits(warm), expected())
    }

    @Test func aBrokenCacheDoesNotPreventLoading() throws {
        let folder = try ModelFolder()
        let cache = "\(folder.path)/cache"
        _ = try folder.model(cacheFolder: cache)
        let kept = "\(cache)/\(try folder.manifest().sha256.prefix(16))"
        let names = try #require(opendir(kept))
        defer { closedir(names) }
        while let entry = readdir(names) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasSuffix(".blob") else { continue }
            chmod("\(kept)/\(name)", 0o644)
            truncate("\(kept)/\(name)", 100)
        }
        expectClose(try logits(try folder.model(cacheFolder: cache)), expected())
    }

    @Test func aCacheThatCannotBeWrittenDoesNotPreventLoading() throws {
        let folder = try ModelFolder()
        let model = try folder.model(cacheFolder: "\(folder.path)/model.onnx/cache")
        guard case .failed(let reason) = model.cacheUse else {
            Issue.record("\(model.cacheUse)")
            return
        }
        #expect(reason.contains("Not a directory"))
        expectClose(try logits(model), expected())
    }

    @Test func theCanarysLogitMustMatchTheManifestWithinItsTolerance() throws {
        let logit = score(51, 102, 204)
        for (expected, passes) in [(logit, true), (logit + 0.009, true), (logit + 0.02, false)] {
            let canary = "{\"file\": \"canary.png\", \"logit\": \(expected), \"tolerance\": 0.01}"
            let folder = try ModelFolder("logit", ["canary": canary])
            try folder.write("canary.png", ModelFolder.fixture("canary.png"))
            let model = try folder.model()
            if passes {
                let found = try #require(try model.runCanary())
                #expect(isClose(found, logit))
            } else {
                let error = try failure { try model.runCanary() }
                #expect(error.code == .canaryFailed)
                #expect(error.message.contains("\(folder.path)/canary.png gets the logit"))
                #expect(error.message.contains("± 0.01"))
            }
        }
    }

    @Test func aModelWithoutACanaryRunsNone() throws {
        #expect(try ModelFolder().model().runCanary() == nil)
    }

    @Test func aCanaryThatCannotBeReadIsAnError() throws {
        let canary = #"{"file": "canary.png", "logit": 0, "tolerance": 0.01}"#
        let folder = try ModelFolder("logit", ["canary": canary])
        let model = try folder.model()
        #expect(try failure { try model.runCanary() }.message.contains("canary.png cannot be read"))
        try folder.write("canary.png", Array("GIF89a".utf8))
        let error = try failure { try model.runCanary() }
        #expect(error.message.contains("canary.png cannot be decoded"))
        #expect(error.cause is DecodeError)
    }

    @Test func threadsMayShareAModel() async throws {
        let folder = try ModelFolder()
        let model = try folder.model()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for value in UInt8(0)..<32 {
                group.addTask {
                    try isClose(model.score([solid(value, value, 9)])[0].get(), score(value, value, 9))
                }
            }
            for try await close in group { #expect(close) }
        }
    }
}
