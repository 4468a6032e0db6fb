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
    }

    private struct Merge: Decodable {
        var models: [String]
        var bias: Double
        var weights: [Double]
    }

    private struct Policy: Decodable {
        var review: Double
        var block: Double
        var noFace: ResultDocument.PolicyAction?
    }

    private static let schema = 1

    /// Reads and checks the file.
    ///
    /// - Throws: an error that names the file, the field and what is wrong.
    static func load(_ path: String) throws(RouterServiceError) -> Ensemble {
        do {
            let data = try Data(contentsOf: URL(filePath: path))
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            let file = try decoder.decode(Contents.self, from: data)
            guard file.schema == schema else {
                throw RouterServiceError(
                    "the ensemble file \(path) is wrong: 'schema' is \(file.schema); this release reads \(schema)")
            }
            return try Ensemble(
                models: file.models,
                merge: file.merge.map { ($0.models, Ensemble.Blend(bias: $0.bias, weights: $0.weights)) },
                policies: file.policies.mapValues {
                    Ensemble.Policy(review: $0.review, block: $0.block, noFace: $0.noFace)
                })
        } catch let error as RouterServiceError {
            throw error
        } catch let error as Ensemble.Invalid {
            throw RouterServiceError("the ensemble file \(path) is wrong: \(error.message)")
        } catch let error as DecodingError {
            throw RouterServiceError("the ensemble file \(path) is wrong: \(error.complaint ?? "it is not JSON")")
        } catch {
            throw RouterServiceError(
                "the ensemble file \(path) cannot be read; name the folder that holds ensemble.json with --models-folder"
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
