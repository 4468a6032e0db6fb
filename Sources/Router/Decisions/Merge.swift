internal import FoundationEssentials
internal import Glibc
internal import Hashing

/// How the scores of models become one probability: a logistic blend for each subset of the models.
///
/// The decision ledger keeps each merge under its digest, so that a decision can be computed again after the ensemble
/// has changed.
package struct Merge: Equatable, Sendable {
    /// The names of the models, in the order of the weights.
    package let models: [String]
    /// The bias and a weight for each model, zero outside the subset; indexed by the subset as a bit set.
    package let blends: [[Double]]

    /// `sha256:` and the hexadecimal digest of the body.
    package let digest: String

    init(models: [String], blends: [[Double]]) {
        self.models = models
        self.blends = blends
        digest = "sha256:" + SHA256.hexDigest(of: CanonicalJSON.encode(Stored(models: models, blends: blends)))
    }

    /// The merge as it is stored, always the same bytes for the same merge.
    private struct Stored: Codable {
        var models: [String]
        var blends: [[Double]]
    }

    /// Decodes a stored merge.
    ///
    /// - Throws: `DecodingError` if the bytes are none.
    package init(decoding bytes: [UInt8]) throws {
        let stored = try CanonicalJSON.decode(Stored.self, from: bytes)
        guard stored.blends.count == 1 << stored.models.count,
            stored.blends.dropFirst().allSatisfy({ $0.count == 1 + stored.models.count })
        else {
            throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "a blend has a wrong length"))
        }
        self.init(models: stored.models, blends: stored.blends)
    }

    /// Returns the calibrated probability, from 0 to 1, that a face is AI-generated.
    ///
    /// - Parameter logits: the calibrated logit of each model, nil for models without a score; not all nil.
    package func probability(_ logits: [Float?]) -> Double {
        var members = 0
        for (index, logit) in logits.enumerated() where logit != nil { members |= 1 << index }
        let row = blends[members]
        var sum = row[0]
        for (index, logit) in logits.enumerated() {
            if let logit { sum += row[1 + index] * Double(logit) }
        }
        return Self.sigmoid(sum)
    }

    package static func sigmoid(_ logit: Double) -> Double {
        1 / (1 + exp(-logit))
    }

    /// Returns the logit of a probability from 0 to 1, which is infinite at both ends.
    package static func logit(_ probability: Double) -> Double {
        log(probability) - log1p(-probability)
    }

    /// The merge as it is stored; ``init(decoding:)`` reads it.
    package var body: [UInt8] { CanonicalJSON.encode(Stored(models: models, blends: blends)) }
}

/// JSON that is the same bytes for the same value: sorted keys, no white space, numbers in their shortest form.
package enum CanonicalJSON {
    package static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(value))
        } catch {
            preconditionFailure("a value of numbers, texts, lists and objects cannot be encoded: \(error)")
        }
    }

    package static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try JSONDecoder().decode(type, from: Data(bytes))
    }
}
