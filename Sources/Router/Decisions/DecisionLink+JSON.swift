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

    /// Returns a time in milliseconds since 1970 as RFC 3339 has it.
    package static func text(ofTime milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000)
            .formatted(
                .iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted))
    }
}

/// What happened to a decision after it was made. Decisions themselves never change.
package struct Correction: Equatable, Sendable {
    /// `erase`: the personal part was removed.
    package var kind: String
    /// The milliseconds since 1970.
    package var time: Int64
    package var author: String?
    package var receipt: String?

    package init(kind: String, time: Int64, author: String?, receipt: String?) {
        self.kind = kind
        self.time = time
        self.author = author
        self.receipt = receipt
    }

    func write(_ json: inout JSONWriter) {
        json.object { json in
            json.member("kind", kind)
            json.member("time", DecisionLink.text(ofTime: time))
            json.member("author", author)
            json.member("receipt", receipt)
        }
    }
}
