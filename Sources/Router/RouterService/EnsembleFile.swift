internal import BifronsWire
internal import Decisions
internal import Files
internal import FoundationEssentials

/// The decoder of `ensemble.json`.
enum EnsembleFile {
    private struct Contents: Decodable {
        var schema: Int
        var models: [String]
        var merge: [Merge]
        var policies: [String: Policy]
        var evidence: [String]?
        var shadow: [Shadow]?
        var reference: [String: Reference]?
    }

    private struct Shadow: Decodable {
        var model: String
        var sample: Double
    }

    private struct Reference: Decodable {
        var version: String
        var edges: [Double]
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
            var references: [String: DriftReference] = [:]
            for (name, reference) in (file.reference ?? [:]).sorted(by: { $0.key < $1.key }) {
                references[name] = try DriftReference(
                    version: reference.version, edges: reference.edges, place: "reference.\(name)")
            }
            return try Ensemble(
                models: file.models,
                merge: file.merge.map { ($0.models, Ensemble.Blend(bias: $0.bias, weights: $0.weights)) },
                policies: file.policies, evidence: file.evidence ?? [],
                shadows: (file.shadow ?? []).map { Ensemble.Shadow(model: $0.model, sample: $0.sample) },
                references: references)
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

/// Why the router could not start or continue, in one sentence.
package struct RouterServiceError: Error, CustomStringConvertible, Sendable {
    package var description: String

    init(_ description: String) {
        self.description = description
    }
}
