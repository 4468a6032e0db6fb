internal import BifronsWire
internal import FoundationEssentials

extension Policy: Codable {
    private enum Key: String, CodingKey, CaseIterable {
        case review, block, clauses, degraded, shadow, record, sample, blind, calibration
        case noFace = "no_face"
    }

    /// Decodes a policy. A field that is not known is refused: a misspelt one would silently decide nothing.
    package init(from decoder: any Decoder) throws {
        try UnknownField.refuse(in: decoder, but: Key.self)
        let fields = try decoder.container(keyedBy: Key.self)
        self.init(
            review: try fields.decode(Double.self, forKey: .review),
            block: try fields.decode(Double.self, forKey: .block),
            noFace: try fields.decodeIfPresent(ResultDocument.PolicyAction.self, forKey: .noFace),
            degraded: try fields.decodeIfPresent(ResultDocument.PolicyAction.self, forKey: .degraded),
            clauses: try fields.decodeIfPresent([Clause].self, forKey: .clauses),
            shadow: try fields.decodeIfPresent([PolicyReference].self, forKey: .shadow),
            record: try fields.decodeIfPresent(Record.self, forKey: .record),
            sample: try fields.decodeIfPresent(Double.self, forKey: .sample),
            blind: try fields.decodeIfPresent(Double.self, forKey: .blind),
            calibration: try fields.decodeIfPresent(Calibration.self, forKey: .calibration))
    }

    /// Encodes the policy with every field that decides something, so that equal bytes decide alike.
    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Key.self)
        try fields.encode(review, forKey: .review)
        try fields.encode(block, forKey: .block)
        try fields.encode(noFace, forKey: .noFace)
        try fields.encode(degraded, forKey: .degraded)
        try fields.encodeIfPresent(clauses, forKey: .clauses)
        if !shadow.isEmpty { try fields.encode(shadow, forKey: .shadow) }
        try fields.encode(record, forKey: .record)
        // Without reviews a policy has the digest that it had before there were any.
        if sample > 0 { try fields.encode(sample, forKey: .sample) }
        if blind > 0 { try fields.encode(blind, forKey: .blind) }
        try fields.encodeIfPresent(calibration, forKey: .calibration)
    }
}

extension Calibration: Codable {
    private enum Key: String, CodingKey, CaseIterable {
        case scale, bias
    }

    package init(from decoder: any Decoder) throws {
        try UnknownField.refuse(in: decoder, but: Key.self)
        let fields = try decoder.container(keyedBy: Key.self)
        self.init(
            scale: try fields.decode(Double.self, forKey: .scale), bias: try fields.decode(Double.self, forKey: .bias))
    }

    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Key.self)
        try fields.encode(scale, forKey: .scale)
        try fields.encode(bias, forKey: .bias)
    }
}

extension Policy.Clause: Codable {
    private enum Key: String, CodingKey, CaseIterable {
        case `if`, reason
        case atLeast = "at_least"
        case atMost = "at_most"
    }

    package init(from decoder: any Decoder) throws {
        try UnknownField.refuse(in: decoder, but: Key.self)
        let fields = try decoder.container(keyedBy: Key.self)
        self.init(
            if: try fields.decode([String: Values].self, forKey: .if).mapValues(\.values),
            atLeast: try fields.decodeIfPresent(ResultDocument.PolicyAction.self, forKey: .atLeast),
            atMost: try fields.decodeIfPresent(ResultDocument.PolicyAction.self, forKey: .atMost),
            reason: try fields.decodeIfPresent(String.self, forKey: .reason))
    }

    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Key.self)
        try fields.encode(conditions, forKey: .if)
        try fields.encodeIfPresent(atLeast, forKey: .atLeast)
        try fields.encodeIfPresent(atMost, forKey: .atMost)
        try fields.encodeIfPresent(reason, forKey: .reason)
    }

    /// One value, or a list of them.
    private struct Values: Decodable {
        let values: [String]

        init(from decoder: any Decoder) throws {
            let single = try decoder.singleValueContainer()
            if let value = try? single.decode(String.self) {
                values = [value]
            } else {
                values = try single.decode([String].self)
            }
        }
    }
}

extension PolicyReference: Codable {
    package init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        let text = try single.decode(String.self)
        guard let reference = PolicyReference(text) else {
            throw DecodingError.dataCorruptedError(in: single, debugDescription: "a reference is NAME@VERSION")
        }
        self = reference
    }

    package func encode(to encoder: any Encoder) throws {
        var single = encoder.singleValueContainer()
        try single.encode(description)
    }
}

/// A key of any object.
struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// The error for a field that a policy or a clause does not have.
package struct UnknownField: Error {
    /// What is wrong, as a clause that names the field.
    package let complaint: String

    /// Throws an error if the decoder's object has a field that is not among the keys.
    static func refuse<Key: CodingKey & CaseIterable>(in decoder: any Decoder, but known: Key.Type) throws {
        let names = Key.allCases.map(\.stringValue)
        let given = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue).sorted()
        guard let name = given.first(where: { !names.contains($0) }) else { return }
        let path = decoder.codingPath.reduce("") { path, key in
            if let index = key.intValue { return path + "[\(index)]" }
            return path.isEmpty ? key.stringValue : path + "." + key.stringValue
        }
        throw UnknownField(
            complaint: "\(path.isEmpty ? "the policy" : path) has an unknown field '\(name)'; it may have "
                + names.joined(separator: ", "))
    }
}
