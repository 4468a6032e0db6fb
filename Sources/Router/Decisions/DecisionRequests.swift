package import BifronsWire
internal import Files
internal import FoundationEssentials

// The JSON bodies of requests about policies and decisions.

/// The body of `policies`: the name of one policy, or nothing.
package struct PolicyListRequest: Decodable, Sendable {
    package var name: String?
}

/// The body of `put_policy`: a policy, and why it is stored.
package struct PolicyDraft: Decodable, Sendable {
    package var policy: Policy
    package var note: String?

    private enum CodingKeys: String, CodingKey {
        case policy, note
    }
}

/// The body of `activate_policy`.
package struct ActivationRequest: Decodable, Sendable {
    package var version: Int
    package var tenant: String?
    package var note: String?
}

/// The body of `try_policy`.
package struct TrialRequest: Decodable, Sendable {
    /// The policy to try: a draft, or a version that is stored already.
    package enum Tried: Decodable, Sendable {
        case draft(Policy)
        case version(PolicyReference)

        package init(from decoder: any Decoder) throws {
            let single = try decoder.singleValueContainer()
            if (try? single.decode(String.self)) != nil {
                self = .version(try single.decode(PolicyReference.self))
            } else {
                self = .draft(try Policy(from: decoder))
            }
        }
    }

    package var policy: Tried
    package var since: Int64?
    package var until: Int64?
    package var tenant: String?
    package var subject: Subject?
}

/// The body of `decisions`.
package struct PageRequest: Decodable, Sendable {
    package var since: Int64?
    package var until: Int64?
    package var limit: Int?
    package var tenant: String?
    package var action: ResultDocument.PolicyAction?
    package var subject: Subject?
    package var order: Order?

    package enum Order: String, Decodable, Sendable {
        case oldest, newest
    }
}

/// The body of `verify`.
package struct VerificationRequest: Decodable, Sendable {
    package var since: Int64?
    package var limit: Int?
}

/// Any JSON in which no value is null. A field that is null says neither what is wanted nor that the default is.
private struct WithoutNulls: Decodable {
    init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        guard !single.decodeNil() else {
            let path = decoder.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
            throw UnknownField(
                complaint: path.isEmpty ? "the body is null" : "\(path.drop { $0 == "." }) is null: leave it out")
        }
        if (try? decoder.container(keyedBy: AnyKey.self)) != nil {
            _ = try single.decode([String: WithoutNulls].self)
        } else if (try? decoder.unkeyedContainer()) != nil {
            _ = try single.decode([WithoutNulls].self)
        }
    }
}

extension Decodable {
    /// Decodes the body of a request. An empty body is an empty object.
    ///
    /// - Throws: the error to answer with, which names the field.
    package static func decode(body: [UInt8]) throws(WireError) -> Self {
        let data = body.isEmpty ? Data("{}".utf8) : Data(body)
        do {
            _ = try JSONDecoder().decode(WithoutNulls.self, from: data)
            return try JSONDecoder().decode(Self.self, from: data)
        } catch let error as UnknownField {
            throw WireError(.unprocessable, code: "body_invalid", error.complaint)
        } catch let error as DecodingError {
            throw WireError(.unprocessable, code: "body_invalid", error.complaint ?? "the body is not JSON")
        } catch {
            throw WireError(.unprocessable, code: "body_invalid", "the body cannot be read: \(error)")
        }
    }
}
