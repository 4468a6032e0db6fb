import Files
import FoundationEssentials

/// The unchecked fields of a manifest. Integers are read as any number, because the decoder's own error for 1.5 does
/// not name the field.
private struct ManifestFields: Decodable {
    struct Version: Decodable {
        var schema: Double
        var preprocessing: Double
    }

    struct Input: Decodable {
        var name: String?
        var width: Double
        var height: Double
        var layout: String
        var colour: String?
        var mean: [Double]
        var std: [Double]
    }

    struct Crop: Decodable {
        var kind: String
        var margin: Double?
    }

    struct Turned: Decodable {
        var below: Double
        var score: Double
    }

    struct Output: Decodable {
        enum CodingKeys: String, CodingKey {
            case name, kind, score, overlap, turned, map
            case aiIndex = "ai_index"
        }

        var name: String?
        var kind: String
        var aiIndex: Double?
        var score: Double?
        var overlap: Double?
        var turned: Turned?
        var map: String?
    }

    struct Calibration: Decodable {
        var scale: Double
        var bias: Double
    }

    struct Canary: Decodable {
        var file: String
        var logit: Double
        var tolerance: Double
    }

    struct Quantised: Decodable {
        enum CodingKeys: String, CodingKey {
            case file, sha256, calibration
            case canaryLogit = "canary_logit"
        }

        var file: String
        var sha256: String
        var calibration: Calibration?
        var canaryLogit: Double?
    }

    var name: String
    var version: String
    var file: String
    var sha256: String
    var int8: Quantised?
    var input: Input
    var crop: Crop?
    var output: Output
    var calibration: Calibration?
    var precision: String?
    var canary: Canary?
    var training: String?
    var metrics: [String: Double]?
    var licence: String?
}

extension Manifest {
    /// Checks all fields.
    ///
    /// - Parameters:
    ///   - json: The bytes of the manifest.
    ///   - path: The file's name in errors.
    ///   - folder: The model folder.
    ///   - precision: The number format to serve; nil: the manifest's.
    /// - Throws: ``InferenceError`` that names the file, the field, its value and what it must be.
    init(json: [UInt8], path: String, folder: String, precision: Precision? = nil) throws(InferenceError) {
        let check = FieldCheck(path: path)
        try check.versions(json)  // First, because the fields of another schema may differ.
        let fields = try check.decode(ManifestFields.self, json)

        self.folder = folder
        self.name = try check.modelName(fields.name)
        self.version = try check.text("version", fields.version)
        let (file, sha256) = (try check.network("file", fields.file), try check.sha256("sha256", fields.sha256))
        let calibration = try check.calibration("calibration", fields.calibration)
        let int8 = try fields.int8.map { int8 throws(InferenceError) in
            (
                try check.network("int8.file", int8.file), try check.sha256("int8.sha256", int8.sha256),
                try check.calibration("int8.calibration", int8.calibration ?? fields.calibration)
            )
        }
        let written: Precision = try check.choice("precision", fields.precision ?? Precision.f32.rawValue)
        self.precision = precision ?? written
        if self.precision == .int8 {
            guard let int8 else {
                throw check.failure("int8", "missing", "precision int8 needs its file and sha256")
            }
            (self.file, self.sha256, self.calibration) = int8
        } else {
            (self.file, self.sha256, self.calibration) = (file, sha256, calibration)
        }
        self.input = Input(
            name: try fields.input.name.map { name throws(InferenceError) in try check.text("input.name", name) },
            width: try check.side("input.width", fields.input.width),
            height: try check.side("input.height", fields.input.height),
            layout: try check.choice("input.layout", fields.input.layout),
            colour: try check.choice("input.colour", fields.input.colour ?? Colour.rgb.rawValue),
            mean: try check.channels("input.mean", fields.input.mean, positive: false),
            std: try check.channels("input.std", fields.input.std, positive: true))
        self.crop = try check.crop(fields.crop)
        self.output = Output(
            name: try fields.output.name.map { name throws(InferenceError) in try check.text("output.name", name) },
            kind: try check.outputKind(fields.output),
            map: try fields.output.map.map { name throws(InferenceError) in try check.text("output.map", name) })
        try check.purpose(crop: crop, input: input, output: output)
        let quantisedLogit = try fields.int8?.canaryLogit.map { logit throws(InferenceError) in
            try check.finite("int8.canary_logit", logit)
        }
        let served = self.precision
        self.canary = try fields.canary.map { canary throws(InferenceError) in
            let logit = try check.finite("canary.logit", canary.logit)
            return Canary(
                file: try check.file("canary.file", canary.file),
                logit: served == .int8 ? quantisedLogit ?? logit : logit,
                tolerance: try check.positive("canary.tolerance", canary.tolerance))
        }
        self.training = fields.training ?? ""
        self.metrics = fields.metrics ?? [:]
        for (name, value) in metrics { _ = try check.finite("metrics.\(name)", value) }
        self.licence = fields.licence ?? ""
    }
}

/// Checks single fields. Each failure is one sentence with the file, the field, the value and the rule.
private struct FieldCheck {
    let path: String

    func failure(_ field: String, _ value: String, _ rule: String) -> InferenceError {
        InferenceError(.manifestInvalid, "\(path): \(field) is \(value), and \(rule)")
    }

    func decode<Fields: Decodable>(_ type: Fields.Type, _ json: [UInt8]) throws(InferenceError) -> Fields {
        do {
            return try JSONDecoder().decode(type, from: Data(json))
        } catch let error as DecodingError {
            let complaint = error.complaint ?? "this is not JSON: write it as docs/models.md shows"
            throw InferenceError(.manifestInvalid, "\(path): \(complaint)")
        } catch {
            throw InferenceError(
                .manifestInvalid, "\(path) is not JSON: write it as docs/models.md shows", cause: error)
        }
    }

    /// Checks the versions of the schema and of the preprocessing.
    func versions(_ json: [UInt8]) throws(InferenceError) {
        let version = try decode(ManifestFields.Version.self, json)
        guard version.schema == Double(Manifest.schema) else {
            throw failure("schema", text(version.schema), "this build reads schema \(Manifest.schema)")
        }
        guard version.preprocessing == Double(Manifest.preprocessing) else {
            throw failure(
                "preprocessing", text(version.preprocessing),
                "this build knows version \(Manifest.preprocessing); use the release that the model was made for")
        }
    }

    func text(_ field: String, _ value: String) throws(InferenceError) -> String {
        guard (1...64).contains(value.utf8.count), value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw failure(field, quoted(value), "it must be 1 to 64 bytes without control characters")
        }
        return value
    }

    func modelName(_ value: String) throws(InferenceError) -> String {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"):
                true
            default: false
            }
        }
        guard value.utf8.count <= 64, let first = value.utf8.first, isAlphanumeric(first),
            value.utf8.allSatisfy({ isAlphanumeric($0) || "-_.".utf8.contains($0) })
        else {
            throw failure(
                "name", quoted(value),
                "it must be 1 to 64 letters, digits, '-', '_' or '.', and begin with a letter or digit")
        }
        return value
    }

    /// Returns a path inside the folder. A manifest must not refer to files elsewhere.
    func file(_ field: String, _ value: String) throws(InferenceError) -> String {
        let parts = value.split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }), !value.utf8.contains(0) else {
            throw failure(field, quoted(value), "it must be the name of a file in the model's folder")
        }
        return value
    }

    /// Returns the name of an ONNX file in the folder.
    func network(_ field: String, _ value: String) throws(InferenceError) -> String {
        let name = try file(field, value)
        guard name.hasSuffix(".onnx") else {
            throw failure(field, "\"\(name)\"", "it must be an ONNX file, *.onnx")
        }
        return name
    }

    func sha256(_ field: String, _ value: String) throws(InferenceError) -> String {
        guard value.utf8.count == 64, value.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) }) else {
            throw failure(
                field, quoted(value), "it must be 64 lower-case hexadecimal digits, as sha256sum prints them")
        }
        return value
    }

    func side(_ field: String, _ value: Double) throws(InferenceError) -> Int {
        guard let side = Int(exactly: value), (1...4096).contains(side) else {
            throw failure(field, text(value), "it must be 1 to 4096 whole pixels")
        }
        return side
    }

    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ field: String, _ value: String
    ) throws(InferenceError) -> Choice {
        guard let choice = Choice(rawValue: value) else {
            throw failure(
                field, quoted(value), "it must be \(Choice.allCases.map(\.rawValue).joined(separator: " or "))")
        }
        return choice
    }

    /// Returns a number as text, without decimals if it is whole.
    func text(_ value: Double) -> String {
        Int(exactly: value).map(String.init) ?? "\(value)"
    }

    func finite(_ field: String, _ value: Double) throws(InferenceError) -> Double {
        // A number beyond Float's range would become infinite where it is used.
        guard Float(value).isFinite else { throw failure(field, text(value), "it must be a finite number") }
        return value
    }

    func positive(_ field: String, _ value: Double) throws(InferenceError) -> Double {
        guard Float(value).isFinite, value >= 1e-9 else {
            throw failure(field, text(value), "it must be a finite number above zero")
        }
        return value
    }

    func channels(_ field: String, _ values: [Double], positive: Bool) throws(InferenceError) -> [Double] {
        guard values.count == 3 else {
            throw failure(field, "\(values.count) numbers", "it must be three, one a channel")
        }
        for (index, value) in values.enumerated() {
            let name = "\(field)[\(index)]"
            _ = positive ? try self.positive(name, value) : try finite(name, value)
        }
        return values
    }

    func outputKind(_ output: ManifestFields.Output) throws(InferenceError) -> Manifest.OutputKind {
        func aiIndex() throws(InferenceError) -> Int {
            guard let index = output.aiIndex else {
                throw failure(
                    "output.ai_index", "missing", "it must be 0 or 1, the place of the class \"AI-generated\"")
            }
            guard index == 0 || index == 1 else { throw failure("output.ai_index", text(index), "it must be 0 or 1") }
            return Int(index)
        }
        switch output.kind {
        case "logit": return .logit
        case "probability": return .probability
        case "two_class": return .twoClass(aiIndex: try aiIndex())
        case "two_class_probability": return .twoClassProbability(aiIndex: try aiIndex())
        case "faces":
            return .faces(
                score: try share("output.score", output.score), overlap: try share("output.overlap", output.overlap),
                turned: try output.turned.map { turned throws(InferenceError) in
                    Manifest.Turned(
                        below: try share("output.turned.below", turned.below),
                        score: try share("output.turned.score", turned.score))
                })
        default:
            throw failure(
                "output.kind", quoted(output.kind),
                "it must be logit, probability, two_class, two_class_probability or, for a locator, faces")
        }
    }

    func calibration(
        _ field: String, _ given: ManifestFields.Calibration?
    ) throws(InferenceError) -> Manifest.Calibration {
        let scale = try finite("\(field).scale", given?.scale ?? 1)
        guard scale != 0 else { throw failure("\(field).scale", "0", "every image would get the same score") }
        return Manifest.Calibration(scale: scale, bias: try finite("\(field).bias", given?.bias ?? 0))
    }

    private func share(_ field: String, _ value: Double?) throws(InferenceError) -> Double {
        guard let value else { throw failure(field, "missing", "it must be a number between 0 and 1") }
        guard value > 0, value < 1 else { throw failure(field, text(value), "it must be between 0 and 1") }
        return value
    }

    func crop(_ crop: ManifestFields.Crop?) throws(InferenceError) -> Manifest.Crop {
        guard let crop else { return .centralSquare }
        switch crop.kind {
        case "central_square": return .centralSquare
        case "whole": return .whole
        case "face":
            guard let margin = crop.margin else {
                throw failure("crop.margin", "missing", "it must be 1 to 4, in lengths of the face's box")
            }
            guard (1...4).contains(margin) else {
                throw failure("crop.margin", text(margin), "it must be 1 to 4, in lengths of the face's box")
            }
            return .face(margin: margin)
        default:
            throw failure("crop.kind", quoted(crop.kind), "it must be face, central_square or, for a locator, whole")
        }
    }

    /// Checks that the fields suit a locator if the output is faces, and otherwise a network that scores.
    func purpose(crop: Manifest.Crop, input: Manifest.Input, output: Manifest.Output) throws(InferenceError) {
        guard case .faces = output.kind else {
            if crop == .whole {
                throw failure(
                    "crop.kind", "\"whole\"", "only a locator, of the output.kind faces, looks at the whole")
            }
            return
        }
        guard output.map == nil else {
            throw failure("output.map", "given", "a locator, of the output.kind faces, has no map")
        }
        guard crop == .whole else {
            throw failure("crop.kind", "not \"whole\"", "a locator, of the output.kind faces, looks at the whole")
        }
        guard input.width == input.height, input.width % 32 == 0 else {
            throw failure(
                "input", "\(input.width) × \(input.height)", "a locator's is a square whose side is a multiple of 32")
        }
    }

    private func quoted(_ value: String) -> String {
        value.utf8.count > 80 ? "\"\(value.prefix(60))…\"" : "\"\(value)\""
    }
}
