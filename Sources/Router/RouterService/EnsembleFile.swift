internal import BifronsWire
internal import Files
internal import FoundationEssentials
internal import RouterCore

/// The decoder of `ensemble.json`.
enum EnsembleFile {
    private struct Contents: Decodable {
        var schema: Int
        var models: [String]
        var merge: [Merge]
        var policies: [String: Policy]
        var evidence: [String]?
    }

    private struct Merge: Decodable {
        var models: [String]
        var bias: Double
        var weights: [Double]
    }

    private static let schema = 1

    /// Reads and checks the file.
    ///
    /// - Throws: an error that names the file, the field and what is wrong.
    static func load(_ path: String) throws(RouterServiceError) -> Ensemble {
        do {
            let data = try Data(contentsOf: URL(filePath: path))
            let file = try JSONDecoder().decode(Contents.self, from: data)
            guard file.schema == schema else {
                throw RouterServiceError(
                    "the ensemble file \(path) is wrong: 'schema' is \(file.schema); this release reads \(schema)")
            }
            return try Ensemble(
                models: file.models,
                merge: file.merge.map { ($0.models, Ensemble.Blend(bias: $0.bias, weights: $0.weights)) },
                policies: file.policies.mapValues(\.policy), evidence: file.evidence ?? [])
        } catch let error as RouterServiceError {
            throw error
        } catch let error as Ensemble.Invalid {
            throw RouterServiceError("the ensemble file \(path) is wrong: \(error.message)")
        } catch let error as UnknownField {
            throw RouterServiceError("the ensemble file \(path) is wrong: \(error.complaint)")
        } catch let error as DecodingError {
            throw RouterServiceError("the ensemble file \(path) is wrong: \(error.complaint ?? "it is not JSON")")
        } catch {
            throw RouterServiceError(
                "the ensemble file \(path) cannot be read; name the folder that holds it with --models-folder, or the file "
                    + "with --ensemble"
            )
        }
    }
}

// MARK: Policies

/// A policy. A field that is not known is refused: a misspelt one would silently decide nothing.
private struct Policy: Decodable {
    let policy: Ensemble.Policy

    private enum Key: String, CodingKey, CaseIterable {
        case review, block, clauses
        case noFace = "no_face"
    }

    init(from decoder: any Decoder) throws {
        try UnknownField.refuse(in: decoder, but: Key.self)
        let fields = try decoder.container(keyedBy: Key.self)
        policy = Ensemble.Policy(
            review: try fields.decode(Double.self, forKey: .review),
            block: try fields.decode(Double.self, forKey: .block),
            noFace: try fields.decodeIfPresent(ResultDocument.PolicyAction.self, forKey: .noFace),
            clauses: try fields.decodeIfPresent([Clause].self, forKey: .clauses)?.map(\.clause))
    }
}

private struct Clause: Decodable {
    let clause: Ensemble.Clause

    private enum Key: String, CodingKey, CaseIterable {
        case `if`, reason
        case atLeast = "at_least"
        case atMost = "at_most"
    }

    init(from decoder: any Decoder) throws {
        try UnknownField.refuse(in: decoder, but: Key.self)
        let fields = try decoder.container(keyedBy: Key.self)
        clause = Ensemble.Clause(
            if: try fields.decode([String: Values].self, forKey: .if).mapValues(\.values),
            atLeast: try fields.decodeIfPresent(ResultDocument.PolicyAction.self, forKey: .atLeast),
            atMost: try fields.decodeIfPresent(ResultDocument.PolicyAction.self, forKey: .atMost),
            reason: try fields.decodeIfPresent(String.self, forKey: .reason))
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

/// The error for a field that a policy or a clause does not have.
private struct UnknownField: Error {
    /// What is wrong, as a clause that names the field.
    let complaint: String

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

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
            complaint: "\(path) has an unknown field '\(name)'; it may have \(names.joined(separator: ", "))")
    }
}

/// Why the router could not start or continue, in one sentence.
package struct RouterServiceError: Error, CustomStringConvertible, Sendable {
    package var description: String

    init(_ description: String) {
        self.description = description
    }
}
