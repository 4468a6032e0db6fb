internal import BifronsWire

/// A decision of the ledger as the router's answers have it, as far as the gateway reads it.
struct DecisionRecord: Decodable {
    struct Body: Decodable {
        struct Region: Decodable {
            var face: Bool
        }

        struct Model: Decodable {
            var name: String
            var version: String?
            var status: Int
        }

        var format: String?
        var width: Int?
        var height: Int?
        var regions: [Region]
        var facesFound: Int?
        var models: [Model]
        var label: String
        /// The bits of the probability, as hexadecimal digits; nil without a face.
        var probability: String?
        var action: String
        var reasons: [String]
        var policy: String
        var policyVersion: Int
        var degraded: Bool
        var release: String

        var exactProbability: Double? {
            probability.flatMap { UInt64($0, radix: 16) }.map { Double(bitPattern: $0) }
        }
    }

    struct Personal: Decodable {
        var subject: Subject?
        var request: String?
        var sha256: String?
    }

    /// What happened to a decision later.
    struct Correction: Decodable {
        struct Detail: Decodable {
            var action: String?
        }

        var kind: String
        var detail: Detail?
    }

    var id: String
    var sequence: Int64
    /// The time of the decision (RFC 3339).
    var time: String
    var tenant: String?
    var body: Body
    /// What points to a person; nil after an erasure.
    var personal: Personal?
    var corrections: [Correction]?

    /// The reviewer's answer that holds; nil if nobody has answered, or if the answer was taken back.
    var review: Correction? {
        let last = corrections?.last { ["review", "withdrawal"].contains($0.kind) }
        return last?.kind == "review" ? last : nil
    }

    /// What became of the image: the reviewer's word counts, if there is one.
    var action: String { review?.detail?.action ?? body.action }
}
