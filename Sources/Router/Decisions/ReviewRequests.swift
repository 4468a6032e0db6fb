package import BifronsWire

// The JSON bodies of requests about reviews and appeals.

/// The body of `next_review`.
package struct NextReviewRequest: Decodable, Sendable {
    package var tenant: String?
    /// The name of a policy whose decisions alone are wanted.
    package var policy: String?
    package var reviewer: String?
}

/// The body of `reviews`.
package struct ReviewPageRequest: Decodable, Sendable {
    package var since: Int64?
    package var limit: Int?
    package var tenant: String?
    package var policy: String?
}

/// The body of `review`.
package struct ReviewRequest: Decodable, Equatable, Sendable {
    package var outcome: ReviewOutcome
    /// What the platform does with the image, if the reviewer decides that, too.
    package var action: ResultDocument.PolicyAction?
    /// The platform's word for what is wrong: lower-case letters and hyphens.
    package var label: String?
    package var note: String?
    /// The seconds that the reviewer took.
    package var seconds: Double?
    /// The lease under which the image was handed out; nil if the answer comes from elsewhere.
    package var lease: String?
    package var reviewer: String?

    /// The most bytes of a note.
    package static let noteBytes = 4096

    /// Checks the fields.
    ///
    /// - Throws: an error that names the field.
    package func check() throws(WireError) {
        if let label {
            let isWord = label.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "-") }
            guard isWord, (1...Limits.identifierBytes).contains(label.utf8.count) else {
                throw Self.invalid("label must have 1 to \(Limits.identifierBytes) lower-case letters and hyphens")
            }
        }
        guard (note?.utf8.count ?? 0) <= Self.noteBytes else {
            throw Self.invalid("note must have at most \(Self.noteBytes) bytes")
        }
        guard (0...86_400).contains(seconds ?? 0) else { throw Self.invalid("seconds must be from 0 to 86400") }
        guard outcome != .skip || (action == nil && label == nil && note == nil) else {
            throw Self.invalid("a review that is skipped has no action, label or note")
        }
    }

    private static func invalid(_ message: String) -> WireError {
        WireError(.unprocessable, code: "body_invalid", message)
    }
}

/// The body of `withdraw_review` and of `review_image`.
package struct ReviewerRequest: Decodable, Sendable {
    package var reviewer: String?
}

/// The body of `appeal`, with the field names of Coop (roostorg/coop).
package struct AppealRequest: Decodable, Sendable {
    package struct Item: Decodable, Sendable {
        package var id: String
        package var typeId: String?
    }

    package var appealId: String
    /// Who appeals.
    package var appealedBy: Item?
    package var appealedAt: String?
    /// A decision, by its id; or a subject, by its id and type.
    package var actionedItem: Item
    package var appealReason: String?

    /// Returns the appeal.
    ///
    /// - Throws: an error that names the field.
    package func checked() throws(WireError) -> Appeal {
        let names = [
            appealId, actionedItem.id, actionedItem.typeId ?? "-", appealedBy?.id ?? "-", appealedBy?.typeId ?? "-",
            appealedAt ?? "-",
        ]
        guard names.allSatisfy({ (1...Limits.identifierBytes).contains($0.utf8.count) }) else {
            throw WireError(
                .unprocessable, code: "body_invalid",
                "appealId, appealedAt, and the id and typeId of appealedBy and actionedItem must have 1 to "
                    + "\(Limits.identifierBytes) bytes")
        }
        guard (appealReason?.utf8.count ?? 0) <= ReviewRequest.noteBytes else {
            throw WireError(
                .unprocessable, code: "body_invalid",
                "appealReason must have at most \(ReviewRequest.noteBytes) bytes")
        }
        let item: Appeal.Item
        if let number = Decision.number(actionedItem.id) {
            item = .decision(number)
        } else if let type = actionedItem.typeId {
            item = .subject(Subject(type: type, id: actionedItem.id))
        } else {
            throw WireError(
                .notFound, code: "unknown_decision",
                "actionedItem is no decision: give a decision's id, or the id and typeId of a subject")
        }
        return Appeal(
            id: appealId, item: item, reason: appealReason,
            by: appealedBy.map { Subject(type: $0.typeId ?? "", id: $0.id) }, at: appealedAt)
    }
}

/// An appeal against a decision.
package struct Appeal: Equatable, Sendable {
    /// What the appeal is about: a decision, or the latest one about a subject that was not allowed.
    package enum Item: Equatable, Sendable {
        case decision(UInt64)
        case subject(Subject)
    }

    package var id: String
    package var item: Item
    package var reason: String?
    package var by: Subject?
    /// When it was made, as the client wrote it.
    package var at: String?
}

/// Who reviews.
package struct Reviewer: Equatable, Sendable {
    /// The name that the request gives, else the name of its key or token; empty for neither.
    package var name: String
    /// The tenants whose decisions the reviewer may see.
    package var tenants: Tenants

    package init(name: String, tenants: Tenants) {
        self.name = name
        self.tenants = tenants
    }
}
