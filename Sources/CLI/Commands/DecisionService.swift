import BifronsClient
import BifronsWire
import FoundationEssentials

/// A service's policies and decisions, as the commands ask for them.
struct DecisionService {
    let client: BifronsClient

    func ask(_ verb: Verb, body: [String: String] = [:]) async throws -> [UInt8] {
        try await ask(RequestHeader(verb: verb), body)
    }

    func ask(_ header: RequestHeader, _ body: some Encodable, router: Int? = nil) async throws -> [UInt8] {
        let bytes = try await client.request(header, image: Array(try JSONEncoder().encode(body)), router: router)
        let outcome = try decode(Outcome.self, bytes)
        guard outcome.status.isSuccess else {
            throw CommandError(outcome.error?.message.printable ?? "the router answers \(outcome.status.rawValue)")
        }
        return bytes
    }

    /// Sends a change to every router, and returns the first one's answer.
    func askAll(_ header: RequestHeader, _ body: some Encodable) async throws -> [UInt8] {
        var first: [UInt8] = []
        for router in client.routers.indices {
            let answer = try await ask(header, body, router: router)
            if router == 0 { first = answer }
        }
        return first
    }

    func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return try decoder.decode(type, from: Data(bytes))
        } catch {
            throw CommandError("the router's answer cannot be read; use the same version of router and client")
        }
    }

    private struct Outcome: Decodable {
        var status: Status
        var error: ResultDocument.Problem?
    }
}

/// The answer to the verb `policies`.
struct PolicyReport: Decodable, Equatable {
    struct Entry: Decodable, Equatable {
        var name: String
        var latest: Int
        var active: PolicyVersionReport?
        var tenants: [String: Int]
        var versions: [PolicyVersionReport]?
    }

    var policies: [Entry]
}

/// A version of a policy.
struct PolicyVersionReport: Decodable, Equatable {
    var name: String
    var version: Int
    var digest: String
    var policy: JSONValue
}

/// The answer to the verb `try_policy`.
struct TrialReport: Decodable, Equatable {
    var count: Int
    var matrix: [String: [String: Int]]
    var examples: [String: [String]]
    var skipped: Int
}

/// Any JSON value, so that a policy passes through unchanged.
enum JSONValue: Codable, Equatable {
    case null
    case boolean(Bool)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            self = .null
        } else if let value = try? single.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? single.decode(Double.self) {
            self = .number(value)
        } else if let value = try? single.decode(String.self) {
            self = .text(value)
        } else if let value = try? single.decode([JSONValue].self) {
            self = .list(value)
        } else {
            self = .object(try single.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var single = encoder.singleValueContainer()
        switch self {
        case .null: try single.encodeNil()
        case .boolean(let value): try single.encode(value)
        case .number(let value): try single.encode(value)
        case .text(let value): try single.encode(value)
        case .list(let values): try single.encode(values)
        case .object(let members): try single.encode(members)
        }
    }
}
