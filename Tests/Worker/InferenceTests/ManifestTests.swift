import Testing

@testable import Inference

@Suite struct ManifestTests {
    @Test func omittedFieldsHaveTheirDefaults() throws {
        let manifest = try ModelFolder().manifest()
        #expect(manifest.name == "tiny")
        #expect(manifest.crop == .centralSquare)
        #expect(manifest.input.colour == .rgb)
        #expect(manifest.input.name == nil)
        #expect(manifest.output.kind == .logit)
        #expect(manifest.calibration.scale == 1 && manifest.calibration.bias == 0)
        #expect(manifest.precision == .f32)
        #expect(manifest.canary == nil)
        #expect(manifest.metrics.isEmpty)
    }

    @Test func everyFieldIsRead() throws {
        let folder = try ModelFolder(
            "logit",
            [
                "input": ModelFolder.input(layout: "NHWC", colour: "BGR", extra: #", "name": "x""#),
                "crop": #"{"kind": "central_square"}"#,
                "output": #"{"name": "y", "kind": "two_class_probability", "ai_index": 0}"#,
                "calibration": #"{"scale": -2, "bias": 0.25}"#, "precision": #""bf16""#,
                "canary": #"{"file": "images/canary.png", "logit": -1.5, "tolerance": 0.1}"#,
                "training": #""faces""#, "metrics": #"{"roc_auc": 0.97, "n": 1811}"#, "licence": #""MIT""#,
                "unknown": "[1, 2]",
            ])
        let manifest = try folder.manifest()
        #expect(manifest.input.layout == .nhwc && manifest.input.colour == .bgr && manifest.input.name == "x")
        #expect(manifest.output.name == "y" && manifest.output.kind == .twoClassProbability(aiIndex: 0))
        #expect(manifest.calibration.scale == -2 && manifest.calibration.bias == 0.25)
        #expect(manifest.precision == .bf16)
        #expect(manifest.canary?.file == "images/canary.png" && manifest.canary?.logit == -1.5)
        #expect(manifest.training == "faces" && manifest.licence == "MIT")
        #expect(manifest.metrics == ["roc_auc": 0.97, "n": 1811])
    }

    @Test func theMarginOfAFaceCropIsRead() throws {
        let manifest = try ModelFolder("logit", ["crop": #"{"kind": "face", "margin": 1.6}"#]).manifest()
        #expect(manifest.crop == .face(margin: 1.6))
    }

    @Test func theInt8NetworkIsUsedOnRequestOrByDefault() throws {
        let digest = String(repeating: "0", count: 64)
        let fields: [String: String?] = [
            "int8": #"{"file": "small.onnx", "sha256": "\#(digest)", "canary_logit": -1.25}"#,
            "canary": #"{"file": "canary.png", "logit": -1.5, "tolerance": 0.1}"#,
        ]
        let folder = try ModelFolder("logit", fields)
        let usual = try Manifest.load(folder: folder.path)
        #expect(usual.file == "model.onnx" && usual.precision == .f32 && usual.canary?.logit == -1.5)
        let asked = try Manifest.load(folder: folder.path, precision: .int8)
        #expect(asked.file == "small.onnx" && asked.sha256 == digest)
        #expect(asked.precision == .int8 && asked.canary?.logit == -1.25)
        let byDefault = try ModelFolder("logit", fields.merging(["precision": #""int8""#]) { $1 })
        #expect(try byDefault.manifest().file == "small.onnx")
        #expect(try Manifest.load(folder: byDefault.path, precision: .f32).file == "model.onnx")
    }

    @Test func theInt8NetworkHasItsOwnCalibrationOrTheModels() throws {
        let network = #""file": "small.onnx", "sha256": "\#(String(repeating: "0", count: 64))""#
        let calibration = #"{"scale": 2, "bias": 0.5}"#
        let shared = try ModelFolder("logit", ["calibration": calibration, "int8": "{\(network)}"])
        for precision in [Manifest.Precision.f32, .bf16, .int8] {
            let served = try Manifest.load(folder: shared.path, precision: precision).calibration
            #expect(served.scale == 2 && served.bias == 0.5)
        }
        let own = try ModelFolder(
            "logit",
            ["calibration": calibration, "int8": #"{\#(network), "calibration": {"scale": -3, "bias": 1}}"#])
        let int8 = try Manifest.load(folder: own.path, precision: .int8).calibration
        let f32 = try Manifest.load(folder: own.path, precision: .f32).calibration
        #expect(int8.scale == -3 && int8.bias == 1 && f32.scale == 2 && f32.bias == 0.5)
    }

    private static let locator: [String: String?] = [
        "input": ModelFolder.input(width: "64", height: "64"), "crop": #"{"kind": "whole"}"#,
        "output": #"{"kind": "faces", "score": 0.5, "overlap": 0.4}"#,
    ]

    @Test func aLocatorsManifestGivesItsThresholds() throws {
        let manifest = try ModelFolder("logit", Self.locator).manifest()
        #expect(manifest.crop == .whole)
        #expect(manifest.output.kind == .faces(score: 0.5, overlap: 0.4, turned: nil))
        #expect(manifest.valuesPerImage == (64 + 16 + 4) * 15)
    }

    @Test func aLocatorsManifestMayConfigureTurnedPasses() throws {
        func output(_ turned: String) -> [String: String?] {
            Self.locator.merging([
                "output": #"{"kind": "faces", "score": 0.5, "overlap": 0.4, "turned": \#(turned)}"#
            ]) { $1 }
        }
        let manifest = try ModelFolder("logit", output(#"{"below": 0.8, "score": 0.6}"#)).manifest()
        let turned = Manifest.Turned(below: 0.8, score: 0.6)
        #expect(manifest.output.kind == .faces(score: 0.5, overlap: 0.4, turned: turned))
        for (given, named) in [
            (#"{"below": 1, "score": 0.6}"#, "output.turned.below is 1"),
            (#"{"below": 0.8, "score": 0}"#, "output.turned.score is 0"),
            (#"{"below": 0.8}"#, "output.turned.score is missing"), ("true", "output.turned must be an object"),
        ] {
            let error = try failure { try ModelFolder("logit", output(given)).manifest() }
            #expect(error.message.contains(named), "\(error)")
        }
    }

    @Test(arguments: [("64", "32"), ("72", "72")])
    func aLocatorsInputMustBeASquareOfWholeCells(width: String, height: String) throws {
        let fields = Self.locator.merging(["input": ModelFolder.input(width: width, height: height)]) { $1 }
        let error = try failure { try ModelFolder("logit", fields).manifest() }
        #expect(error.message.contains("input is \(width) × \(height)"))
    }

    @Test func aLocatorIsRefusedAsAModelAndAModelAsALocator() throws {
        let engine = try Engine.load()
        let locator = try ModelFolder("logit", Self.locator)
        let asModel = try failure { try Model(folder: locator.path, engine: engine) }
        #expect(asModel.message.contains("output.kind is faces"))
        let model = try ModelFolder()
        let asLocator = try failure { try Locator(folder: model.path, engine: engine) }
        #expect(asLocator.message.contains("output.kind is logit"))
    }

    /// Returns the field of an int8 network with a valid file name and digest.
    private static func int8(calibration: String) -> String {
        let digest = String(repeating: "0", count: 64)
        return #"{"file": "small.onnx", "sha256": "\#(digest)", "calibration": \#(calibration)}"#
    }

    /// A field, its wrong value, and how the error describes it.
    private static let bad: [(field: String, value: String?, named: String)] = [
        ("schema", "2", "schema is 2"), ("schema", nil, "schema is missing"),
        ("schema", "\"1\"", "schema must be a number"),
        ("schema", "1.5", "schema is 1.5"),
        ("preprocessing", "2", "preprocessing is 2"), ("preprocessing", nil, "preprocessing is missing"),
        ("name", "\"\"", "name is"), ("name", "\"a/b\"", "name is"), ("name", "\"-a\"", "name is"),
        ("name", "7", "name must be"),
        ("name", "\"\(String(repeating: "n", count: 65))\"", "name is"), ("version", "\"\"", "version is"),
        ("version", "null", "version is null"), ("version", "\"a\\nb\"", "version is"),
        ("file", "\"../model.onnx\"", "file is"), ("file", "\"/etc/model.onnx\"", "file is"),
        ("file", "\"\"", "file is"),
        ("file", "\"a/../../model.onnx\"", "file is"), ("file", "\"model.xml\"", "file is"),
        ("file", nil, "file is missing"),
        ("sha256", "\"abc\"", "sha256 is"), ("sha256", "\"\(String(repeating: "G", count: 64))\"", "sha256 is"),
        ("sha256", "\"\(String(repeating: "A", count: 64))\"", "sha256 is"),
        ("input", "[]", "input must be an object"), ("input", nil, "input is missing"),
        ("input", ModelFolder.input(width: "0"), "input.width is 0"),
        ("input", ModelFolder.input(height: "-8"), "input.height is -8"),
        ("input", ModelFolder.input(width: "1e9"), "input.width is 1000000000"),
        ("input", ModelFolder.input(width: "8.5"), "input.width is 8.5"),
        ("input", ModelFolder.input(width: "true"), "input.width must be a number"),
        ("input", ModelFolder.input(layout: "CHWN"), "input.layout is"),
        ("input", ModelFolder.input(colour: "GBR"), "input.colour is"),
        ("input", ModelFolder.input(mean: "[0, 0]"), "input.mean is 2 numbers"),
        ("input", ModelFolder.input(mean: "[0, \"0\", 0]"), "input.mean[1] must be a number"),
        ("input", ModelFolder.input(mean: "[0, 1e300, 0]"), "input.mean[1] is"),
        ("input", ModelFolder.input(std: "[1, 1, 0]"), "input.std[2] is 0"),
        ("input", ModelFolder.input(std: "[-1, 1, 1]"), "input.std[0] is -1"),
        ("input", ModelFolder.input(std: "1"), "input.std must be a list"),
        ("input", ModelFolder.input(extra: ", \"name\": 3"), "input.name must be a string"),
        ("crop", "{\"kind\": \"whole\"}", "crop.kind is"), ("crop", "{}", "crop.kind is missing"),
        ("crop", "{\"kind\": \"square\"}", "crop.kind is"), ("crop", "{\"kind\": \"face\"}", "crop.margin is missing"),
        ("crop", "{\"kind\": \"face\", \"margin\": 0.5}", "crop.margin is 0.5"),
        ("crop", "{\"kind\": \"face\", \"margin\": 5}", "crop.margin is 5"),
        ("output", "{\"kind\": \"faces\", \"score\": 0.5, \"overlap\": 0.4}", "crop.kind is not"),
        ("output", "{\"kind\": \"faces\", \"overlap\": 0.4}", "output.score is missing"),
        ("output", "{\"kind\": \"faces\", \"score\": 0, \"overlap\": 0.4}", "output.score is 0"),
        ("output", "{\"kind\": \"faces\", \"score\": 0.5, \"overlap\": 1}", "output.overlap is 1"),
        ("output", "{\"kind\": \"softmax\"}", "output.kind is"), ("output", "{}", "output.kind is missing"),
        ("output", "{\"kind\": \"two_class\"}", "output.ai_index is missing"),
        ("output", "{\"kind\": \"two_class\", \"ai_index\": 2}", "output.ai_index is 2"),
        ("output", "{\"kind\": \"two_class\", \"ai_index\": -1}", "output.ai_index is -1"),
        ("calibration", "{\"scale\": 0, \"bias\": 0}", "calibration.scale is 0"),
        ("calibration", "{\"scale\": 1, \"bias\": 1e39}", "calibration.bias is"),
        ("calibration", "{\"bias\": 0}", "calibration.scale is missing"),
        ("calibration", "{\"scale\": \"NaN\", \"bias\": 0}", "calibration.scale must be a number"),
        ("precision", "\"int4\"", "precision is"), ("precision", "\"int8\"", "int8 is missing"),
        ("int8", #"{"file": "small.bin", "sha256": ""}"#, "int8.file is"),
        ("int8", #"{"file": "small.onnx", "sha256": "abc"}"#, "int8.sha256 is"),
        ("int8", int8(calibration: #"{"scale": 0, "bias": 0}"#), "int8.calibration.scale is 0"),
        ("int8", int8(calibration: #"{"scale": 1, "bias": -1e39}"#), "int8.calibration.bias is"),
        ("int8", int8(calibration: #"{"scale": 1}"#), "int8.calibration.bias is missing"),
        ("int8", int8(calibration: "1"), "int8.calibration must be an object"),
        ("canary", "{\"file\": \"../c.png\", \"logit\": 0, \"tolerance\": 1}", "canary.file is"),
        ("canary", "{\"file\": \"c.png\", \"logit\": 0, \"tolerance\": 0}", "canary.tolerance is 0"),
        ("canary", "{\"file\": \"c.png\", \"tolerance\": 1}", "canary.logit is missing"),
        ("metrics", "{\"auc\": \"high\"}", "metrics.auc must be a number"),
        ("metrics", "[1]", "metrics must be an object"),
        ("training", "1", "training must be a string"),
    ]

    @Test(arguments: bad.indices)
    func anInvalidFieldIsNamedWithItsFile(index: Int) throws {
        let (field, value, named) = Self.bad[index]
        let folder = try ModelFolder("logit", [field: value])
        let error = try failure { try folder.manifest() }
        #expect(error.code == .manifestInvalid)
        #expect(error.message.hasPrefix("\(folder.path)/manifest.json: \(named)"), "\(error)")
    }

    @Test func fieldsOfAnUnsupportedSchemaAreNotChecked() throws {
        let folder = try ModelFolder()
        try folder.write("manifest.json", Array(#"{"schema": 3, "preprocessing": 1}"#.utf8))
        #expect(try failure { try folder.manifest() }.message.contains("schema is 3"))
    }

    @Test(arguments: ["", "{", "[]", "{\"schema\": NaN}", "\u{FEFF}{"])
    func aManifestThatIsNotAJSONObjectIsRefused(text: String) throws {
        let folder = try ModelFolder()
        try folder.write("manifest.json", Array(text.utf8))
        let error = try failure { try folder.manifest() }
        #expect(error.code == .manifestInvalid)
        #expect(error.message.contains("manifest.json"))
    }

    @Test func aManifestThatIsNotUTF8IsRefused() throws {
        let folder = try ModelFolder()
        try folder.write("manifest.json", [0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x3A, 0x31, 0x7D])
        #expect(try failure { try folder.manifest() }.code == .manifestInvalid)
    }

    @Test func aFolderWithoutManifestIsNamed() throws {
        let error = try failure { try Manifest.load(folder: "/nowhere/at/all") }
        #expect(error.code == .manifestMissing)
        #expect(error.message.contains("/nowhere/at/all/manifest.json cannot be read (No such file or directory)"))
    }

    @Test func aManifestOverTheSizeLimitIsNotRead() throws {
        let folder = try ModelFolder()
        try folder.write("manifest.json", [UInt8](repeating: UInt8(ascii: " "), count: 1 << 20 + 1))
        #expect(try failure { try folder.manifest() }.code == .manifestMissing)
    }
}
