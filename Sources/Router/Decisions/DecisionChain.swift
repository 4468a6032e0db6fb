internal import BifronsWire
internal import FoundationEssentials
internal import Hashing

/// A decision as a link of the ledger's hash chain: each link's hash covers the one before it, so that no stored
/// decision can be changed, moved or left out without notice (Haber and Stornetta 1991).
///
/// The personal part enters only as a commitment, the SHA-256 of a random salt and the part. An erasure drops both, and
/// the chain stays valid.
package struct DecisionLink: Equatable, Sendable {
    /// The number of bytes of a salt.
    package static let saltBytes = 16
    /// The hash before the first link.
    package static let origin = [UInt8](repeating: 0, count: 32)

    /// The place in the ledger, from 1, without gaps.
    package var sequence: Int64
    package var number: UInt64
    /// The milliseconds since 1970.
    package var time: Int64
    package var tenant: String?
    /// ``Decision/Body`` as JSON.
    package var body: [UInt8]
    /// ``Decision/Personal`` as JSON; nil after an erasure.
    package var personal: [UInt8]?
    package var salt: [UInt8]?
    /// The SHA-256 of the salt and the personal part.
    package var commitment: [UInt8]
    /// The hash of the link before.
    package var previous: [UInt8]
    package var hash: [UInt8]

    /// Creates the link of a new decision.
    package init(
        _ decision: Decision, sequence: Int64, time: Int64, salt: [UInt8], after previous: [UInt8]
    ) {
        self.sequence = sequence
        self.time = time
        self.salt = salt
        self.previous = previous
        number = decision.number
        tenant = decision.tenant
        body = CanonicalJSON.encode(decision.body)
        let personal = CanonicalJSON.encode(decision.personal)
        self.personal = personal
        commitment = Self.digest(salt + personal)
        hash = []
        hash = computedHash
    }

    /// Creates a link from its stored fields.
    package init(
        sequence: Int64, number: UInt64, time: Int64, tenant: String?, body: [UInt8], personal: [UInt8]?,
        salt: [UInt8]?, commitment: [UInt8], previous: [UInt8], hash: [UInt8]
    ) {
        self.sequence = sequence
        self.number = number
        self.time = time
        self.tenant = tenant
        self.body = body
        self.personal = personal
        self.salt = salt
        self.commitment = commitment
        self.previous = previous
        self.hash = hash
    }

    /// Returns what is wrong with the link, as a clause; nil if it is as it was stored.
    ///
    /// - Parameter previous: the link before; nil if this is the oldest that is kept.
    package func problem(after previous: DecisionLink?) -> String? {
        if let previous {
            guard sequence == previous.sequence + 1 else {
                return "follows decision \(previous.sequence), so the ones between them are missing"
            }
            guard self.previous == previous.hash else { return "has another hash for the decision before it" }
        }
        guard hash == computedHash else { return "does not have the hash of its content" }
        switch (personal, salt) {
        case (let personal?, let salt?):
            return commitment == Self.digest(salt + personal) ? nil : "has another personal part than was committed to"
        case (nil, nil): return nil
        default: return "has lost half of its personal part"
        }
    }

    /// The SHA-256 of all fields but the personal part and its salt, each with its length.
    private var computedHash: [UInt8] {
        var content: [UInt8] = []
        func append(_ field: [UInt8]) {
            content += Self.bytes(UInt64(field.count)) + field
        }
        append(previous)
        append(Self.bytes(UInt64(bitPattern: sequence)) + Self.bytes(number) + Self.bytes(UInt64(bitPattern: time)))
        append(tenant.map { [1] + Array($0.utf8) } ?? [0])
        append(body)
        append(commitment)
        return Self.digest(content)
    }

    private static func bytes(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }

    private static func digest(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { SHA256.digest(of: $0) }
    }

    /// Returns the decision that the link holds; its personal part is empty after an erasure.
    ///
    /// - Throws: `DecodingError` if the body or the personal part is not what was stored.
    package func decision() throws -> Decision {
        let body = try CanonicalJSON.decode(Decision.Body.self, from: body)
        let personal = try personal.map { try CanonicalJSON.decode(Decision.Personal.self, from: $0) }
        return Decision(
            number: number, tenant: tenant, body: body,
            personal: personal ?? Decision.Personal(subject: nil, request: nil, sha256: nil, boxes: [], evidence: []))
    }
}
