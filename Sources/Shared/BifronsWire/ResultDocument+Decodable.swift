internal import FoundationEssentials
internal import Hexadecimal

extension ResultDocument: Decodable {
    private enum Key: String, CodingKey {
        case id, status, verdict, models, locator, evidence, degraded, attempts, faces, maps, image, decision, error
        case isRecorded = "recorded"
        case facesFound = "faces_found"
        case totalMilliseconds = "total_ms"
        case retryAfterMilliseconds = "retry_after_ms"
    }

    /// Decodes a result, except its ``metadata``.
    /// - Throws: `DecodingError` if a field is missing, has another type or is out of range.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        id = try fields.decodeIfPresent(String.self, forKey: .id)
        status = try fields.decode(Status.self, forKey: .status)
        verdict = try fields.decodeIfPresent(Verdict.self, forKey: .verdict)
        models = try fields.decodeIfPresent([ModelResult].self, forKey: .models) ?? []
        locator = try fields.decodeIfPresent(LocatorResult.self, forKey: .locator)
        evidence = try fields.decodeIfPresent([KnownKind].self, forKey: .evidence)?.compactMap(\.evidence) ?? []
        degraded = try fields.decodeIfPresent(Bool.self, forKey: .degraded) ?? false
        attempts = try fields.decodeIfPresent(Int.self, forKey: .attempts) ?? 0
        totalMilliseconds = try fields.decodeIfPresent(Double.self, forKey: .totalMilliseconds)
        faces = try fields.decodeIfPresent([Face].self, forKey: .faces)?.map { $0.ordered(like: models.map(\.name)) }
        facesFound = try fields.decodeIfPresent(Int.self, forKey: .facesFound)
        maps = try fields.decodeIfPresent([String: HeatMap].self, forKey: .maps) ?? [:]
        image = try fields.decodeIfPresent(ImageInformation.self, forKey: .image)
        decision = try fields.decodeIfPresent(String.self, forKey: .decision)
        isRecorded = try fields.decodeIfPresent(Bool.self, forKey: .isRecorded)
        error = try fields.decodeIfPresent(Problem.self, forKey: .error)
        retryAfterMilliseconds = try fields.decodeIfPresent(Int.self, forKey: .retryAfterMilliseconds)
    }

    /// Decodes a result frame, except its ``metadata``.
    /// - Throws: `DecodingError` if the bytes are not a result.
    public static func decode(_ bytes: [UInt8]) throws -> ResultDocument {
        try JSONDecoder().decode(ResultDocument.self, from: Data(bytes))
    }
}

extension Status: Codable {}

/// An entry of a result's evidence. Kinds that this release does not know are skipped: any release may add some.
private struct KnownKind: Decodable {
    let evidence: ResultDocument.Evidence?

    private enum Key: String, CodingKey {
        case kind, status, error
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        guard let kind = EvidenceKind(rawValue: try fields.decode(String.self, forKey: .kind)) else {
            evidence = nil
            return
        }
        let status = try fields.decode(Status.self, forKey: .status)
        if let problem = try fields.decodeIfPresent(ResultDocument.Problem.self, forKey: .error) {
            evidence = ResultDocument.Evidence(
                kind, failed: WireError(status, code: problem.code, problem.message))
            return
        }
        do {
            var entry = ResultDocument.Evidence(try EvidenceFields(from: decoder).report())
            entry.status = status
            evidence = entry
        } catch let malformed as MalformedMessage {
            throw DecodingError.dataCorruptedError(
                forKey: .kind, in: fields, debugDescription: "the evidence is \(malformed.reason)")
        }
    }
}

extension ResultDocument.Face: Decodable {
    private enum Key: String, CodingKey {
        case box, turned, models, maps
        case aiProbability = "ai_probability"
    }

    /// Decodes a face of a result, with its models in alphabetical order.
    /// - Throws: `DecodingError` if a field is missing or has another type.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        box = try fields.decode(Box.self, forKey: .box)
        turned = try fields.decodeIfPresent(Double.self, forKey: .turned)
        aiProbability = try fields.decode(Double.self, forKey: .aiProbability)
        models = try fields.decode([String: Double].self, forKey: .models)
            .map { (name: $0.key, aiProbability: $0.value) }
            .sorted { $0.name < $1.name }
        maps = try fields.decodeIfPresent([String: HeatMap].self, forKey: .maps) ?? [:]
    }

    /// Returns the face with its models in the order of the result's models, because a JSON object has no order.
    fileprivate func ordered(like names: [String]) -> Self {
        var face = self
        face.models = names.compactMap { name in models.first { $0.name == name } }
        face.models += models.filter { !names.contains($0.name) }
        return face
    }
}

extension Box: Decodable {
    /// Decodes `[x, y, width, height]`, in pixels.
    /// - Throws: `DecodingError` unless there are four whole numbers.
    public init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        let numbers = try single.decode([Int32].self)
        guard numbers.count == 4 else {
            throw DecodingError.dataCorruptedError(in: single, debugDescription: "a box has four numbers")
        }
        self.init(x: numbers[0], y: numbers[1], width: numbers[2], height: numbers[3])
    }
}

extension HeatMap: Decodable {
    private enum Key: String, CodingKey {
        case square, width, height, data
    }

    /// Decodes a heat map.
    /// - Throws: `DecodingError` if a field is missing or has another type, if the data does not have one byte for each
    ///   cell, or if a side has more than ``Limits/mapSide`` cells.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        let (width, height) = (
            try fields.decode(Int.self, forKey: .width), try fields.decode(Int.self, forKey: .height)
        )
        let cells = Data(base64Encoded: try fields.decode(String.self, forKey: .data)).map(Array.init)
        let sides = 1...Limits.mapSide
        guard let cells, sides.contains(width), sides.contains(height), cells.count == width * height else {
            throw DecodingError.dataCorruptedError(
                forKey: .data, in: fields, debugDescription: "a map has a byte, in base 64, for each of its cells")
        }
        self.init(
            square: try fields.decode(Box.self, forKey: .square),
            evidence: EvidenceMap(width: width, height: height, cells: cells))
    }
}

extension ImageInformation: Decodable {
    private enum Key: String, CodingKey {
        case format, animated, width, height, sha256
    }

    /// Decodes the information about a result's image.
    /// - Throws: `DecodingError` if a field is missing, has another type or is out of range.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        format = try fields.decode(Format.self, forKey: .format)
        isAnimated = try fields.decodeIfPresent(Bool.self, forKey: .animated) ?? false
        width = try fields.decode(UInt32.self, forKey: .width)
        height = try fields.decode(UInt32.self, forKey: .height)
        let digest = [UInt8](hexadecimal: try fields.decode(String.self, forKey: .sha256))
        guard let digest, digest.count == BinaryReader.digestBytes else {
            throw DecodingError.dataCorruptedError(
                forKey: .sha256, in: fields, debugDescription: "a SHA-256 has 64 hexadecimal digits")
        }
        sha256 = digest
    }
}
