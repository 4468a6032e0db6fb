package import BifronsWire
internal import FoundationEssentials
internal import Hexadecimal

extension DecisionLink {
    /// Writes the link as a JSON object. The body and the personal part are the bytes that the hash and the commitment
    /// cover.
    package func write(_ json: inout JSONWriter, corrections: [Correction] = []) {
        json.object { json in
            json.member("id", Decision.id(number))
            json.member("sequence", Int(sequence))
            json.member("time", Self.text(ofTime: time))
            json.member("time_ms", Int(time))
            json.member("tenant", tenant)
            json.member("body", raw: body)
            json.member("personal", raw: personal)
            if personal == nil { json.member("erased", true) }
            json.member("salt", salt?.hexadecimal)
            json.member("commitment", commitment.hexadecimal)
            json.member("previous", previous.hexadecimal)
            json.member("hash", hash.hexadecimal)
            if !corrections.isEmpty {
                json.member("corrections", corrections) { json, correction in correction.write(&json) }
            }
        }
    }

    /// Writes what a reviewer may know before the first answer: nothing that the networks or the policy say.
    package func writeBlind(_ json: inout JSONWriter, _ body: Decision.Body) {
        json.object { json in
            json.member("id", Decision.id(number))
            json.member("sequence", Int(sequence))
            json.member("time", Self.text(ofTime: time))
            json.member("time_ms", Int(time))
            json.member("tenant", tenant)
            json.member("format", body.format)
            json.member("width", body.width)
            json.member("height", body.height)
        }
    }

    /// Returns a time in milliseconds since 1970 as RFC 3339 has it.
    package static func text(ofTime milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000)
            .formatted(
                .iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted))
    }
}

/// What happened to a decision after it was made. Decisions themselves never change.
package struct Correction: Equatable, Sendable {
    package enum Kind: String, Sendable {
        /// The personal part was removed.
        case erase
        /// A reviewer has answered.
        case review
        /// The reviewer has taken the answer back.
        case withdrawal
        /// Somebody has appealed.
        case appeal
    }

    package var kind: Kind
    /// The milliseconds since 1970.
    package var time: Int64
    package var author: String?
    package var receipt: String?
    /// What was answered or appealed, as the JSON text of an object.
    package var detail: [UInt8]?

    package init(kind: Kind, time: Int64, author: String?, receipt: String? = nil, detail: [UInt8]? = nil) {
        self.kind = kind
        self.time = time
        self.author = author
        self.receipt = receipt
        self.detail = detail
    }

    func write(_ json: inout JSONWriter) {
        json.object { json in
            json.member("kind", kind.rawValue)
            json.member("time", DecisionLink.text(ofTime: time))
            json.member("author", author)
            json.member("receipt", receipt)
            json.member("detail", raw: detail)
        }
    }
}
