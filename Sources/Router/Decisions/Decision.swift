package import BifronsWire
internal import Hexadecimal

/// One decision on one image, with everything that it was computed from.
///
/// The body stays as long as the decision. The personal part points to a person or to one's image, and an erasure
/// removes it.
package struct Decision: Equatable, Sendable {
    /// The router's number for the job. It identifies the decision, even if a durable job is computed again after a
    /// crash.
    package var number: UInt64
    /// The owner on whose behalf the gateway asked, or the name of the client's key; nil for neither.
    package var tenant: String?
    package var body: Body
    package var personal: Personal

    package init(number: UInt64, tenant: String?, body: Body, personal: Personal) {
        self.number = number
        self.tenant = tenant
        self.body = body
        self.personal = personal
    }

    /// The decision's id in answers and queries: 16 hexadecimal digits.
    package var id: String { Self.id(number) }

    package static func id(_ number: UInt64) -> String {
        var digits: [UInt8] = []
        for byte in 0..<8 { digits.append(hexadecimal: UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64(byte)))) }
        return String(decoding: digits, as: UTF8.self)
    }

    /// Returns the number of an id, or nil if the text is no id.
    package static func number(_ id: String) -> UInt64? {
        id.utf8.count == 16 ? UInt64(id, radix: 16) : nil
    }

    /// What the decision was computed from and what came out, without anything that points to a person.
    package struct Body: Codable, Equatable, Sendable {
        /// A face, or the whole image, with its scores.
        package struct Region: Codable, Equatable, Sendable {
            /// Whether the region is a face.
            package var isFace: Bool
            /// The degrees by which the face is turned; nil if that is not known.
            package var turned: Double?
            /// The calibrated logit of each model of the merge, as its exact bits; nil without a score.
            package var logits: [FloatBits?]

            package init(isFace: Bool, turned: Double?, logits: [Float?]) {
                self.isFace = isFace
                self.turned = turned
                self.logits = logits.map { $0.map(FloatBits.init) }
            }

            private enum CodingKeys: String, CodingKey {
                case isFace = "face"
                case turned, logits
            }
        }

        /// A model, or the locator.
        package struct Model: Codable, Equatable, Sendable {
            package var name: String
            package var version: String?
            package var digest: String?
            package var status: Int
            /// The code of the error; nil with a score.
            package var error: String?

            package init(name: String, version: String?, digest: String?, status: Int, error: String? = nil) {
                self.name = name
                self.version = version
                self.digest = digest
                self.status = status
                self.error = error
            }
        }

        /// What another policy would have decided.
        package struct Shadow: Codable, Equatable, Sendable {
            package var policy: String
            package var version: Int
            package var action: ResultDocument.PolicyAction
            package var reasons: [String]

            package init(_ reference: PolicyReference, _ verdict: ResultDocument.Verdict) {
                policy = reference.name
                version = reference.version
                action = verdict.action
                reasons = verdict.reasons
            }
        }

        package var format: String?
        package var width: Int?
        package var height: Int?
        package var regions: [Region]
        package var facesFound: Int?
        package var models: [Model]
        package var locator: Model?
        /// The digest of the ``Merge``.
        package var merge: String
        package var evidence: [EvidenceFacts]
        package var policy: String
        package var policyVersion: Int
        package var policyDigest: String
        /// The probability's exact bits; nil without a face.
        package var probability: DoubleBits?
        package var label: ResultDocument.Label
        package var action: ResultDocument.PolicyAction
        package var reasons: [String]
        package var isDegraded: Bool
        package var shadow: [Shadow]
        /// The version of the router.
        package var release: String

        /// Creates the body of a verdict, without shadow policies.
        ///
        /// - Parameters:
        ///   - document: the answer, with the results of the models.
        ///   - merge: the digest of the ``Merge``.
        package init(
            _ document: ResultDocument, _ verdict: ResultDocument.Verdict, regions: [Region], merge: String,
            evidence: [EvidenceFacts]
        ) {
            format = document.image?.format.rawValue
            width = document.image.map { Int($0.width) }
            height = document.image.map { Int($0.height) }
            self.regions = regions
            facesFound = document.facesFound
            models = document.models.map {
                Model(
                    name: $0.name, version: $0.version, digest: $0.digest, status: $0.status.rawValue,
                    error: $0.error?.code)
            }
            locator = document.locator.map {
                Model(name: "locator", version: $0.version, digest: $0.digest, status: Status.ok.rawValue)
            }
            self.merge = merge
            self.evidence = evidence
            policy = verdict.policy
            policyVersion = verdict.policyVersion ?? 0
            policyDigest = verdict.policyDigest ?? ""
            probability = verdict.aiProbability.map(DoubleBits.init)
            label = verdict.label
            action = verdict.action
            reasons = verdict.reasons
            isDegraded = document.degraded
            shadow = []
            release = Release.version
        }

        private enum CodingKeys: String, CodingKey {
            case format, width, height, regions, models, locator, merge, evidence, policy, probability, label, action
            case reasons, shadow, release
            case facesFound = "faces_found"
            case policyVersion = "policy_version"
            case policyDigest = "policy_digest"
            case isDegraded = "degraded"
        }
    }

    /// What points to a person or to one's image.
    package struct Personal: Codable, Equatable, Sendable {
        package var subject: Subject?
        /// The id of the request.
        package var request: String?
        /// The image's SHA-256 in hexadecimal digits.
        package var sha256: String?
        /// The bounding box of each region, `[x, y, width, height]`; nil for the whole image.
        package var boxes: [[Int]?]
        /// The evidence as the answer has it, in the order of the body's.
        package var evidence: [String]

        package init(
            subject: Subject?, request: String?, sha256: String?, boxes: [[Int]?], evidence: [String]
        ) {
            self.subject = subject
            self.request = request
            self.sha256 = sha256
            self.boxes = boxes
            self.evidence = evidence
        }
    }
}

/// A floating-point number whose bits are kept exactly, written as hexadecimal digits.
package struct ExactBits<Value: FloatWithBits>: Codable, Equatable, Sendable {
    package let value: Value

    package init(_ value: Value) { self.value = value }

    private static var digits: Int { Value.Bits.bitWidth / 4 }

    package init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        let text = try single.decode(String.self)
        guard text.utf8.count == Self.digits, let bits = Value.Bits(text, radix: 16) else {
            throw DecodingError.dataCorruptedError(
                in: single, debugDescription: "a number has \(Self.digits) hexadecimal digits")
        }
        value = Value(bitPattern: bits)
    }

    package func encode(to encoder: any Encoder) throws {
        var single = encoder.singleValueContainer()
        let text = String(value.bitPattern, radix: 16)
        try single.encode(String(repeating: "0", count: Self.digits - text.utf8.count) + text)
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.value.bitPattern == right.value.bitPattern
    }
}

/// A floating-point type whose bits are an integer.
package protocol FloatWithBits: Sendable {
    associatedtype Bits: FixedWidthInteger
    var bitPattern: Bits { get }
    init(bitPattern: Bits)
}

extension Float: FloatWithBits {}
extension Double: FloatWithBits {}

/// The exact bits of a `Float`, written as 8 hexadecimal digits.
package typealias FloatBits = ExactBits<Float>
/// The exact bits of a `Double`, written as 16 hexadecimal digits.
package typealias DoubleBits = ExactBits<Double>
