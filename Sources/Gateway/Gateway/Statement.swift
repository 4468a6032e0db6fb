internal import FoundationEssentials

/// A draft of a statement of reasons for the transparency database of the European Commission (Article 17 of the
/// Digital Services Act). Names and rules are those of version 2 of its API. The platform completes and sends it.
///
/// It contains no personal data: neither the subject, nor the request's id, nor anything of the image.
struct Statement: Encodable, Equatable {
    /// What the platform decides about its statements.
    struct Options: Equatable {
        var category = "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
        /// The clause of the terms and conditions, at most 500 characters.
        var ground = "The terms and conditions on AI-generated images of faces"
        /// Why the clause covers the image, at most 500 characters: the database takes 2000, but a URL does not.
        var explanation = "The image was assessed as AI-generated, or as an image that the service does not allow."
        /// The day on which the content was published, as YYYY-MM-DD; nil for that of the decision.
        var contentDate: String?
    }

    /// The most statements that the database takes at a time.
    static let mostAtOnce = 100

    static let categories: Set<String> = Set(
        [
            "ANIMAL_WELFARE", "CONSUMER_INFORMATION", "CYBER_VIOLENCE", "CYBER_VIOLENCE_AGAINST_WOMEN",
            "DATA_PROTECTION_AND_PRIVACY_VIOLATIONS", "ILLEGAL_OR_HARMFUL_SPEECH",
            "INTELLECTUAL_PROPERTY_INFRINGEMENTS", "NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS",
            "NOT_SPECIFIED_NOTICE", "OTHER_VIOLATION_TC", "PROTECTION_OF_MINORS", "RISK_FOR_PUBLIC_SECURITY",
            "SCAMS_AND_FRAUD", "SELF_HARM", "UNSAFE_AND_PROHIBITED_PRODUCTS", "VIOLENCE",
        ].map { "STATEMENT_CATEGORY_" + $0 })

    let decisionVisibility = ["DECISION_VISIBILITY_CONTENT_REMOVED"]
    let decisionGround = "DECISION_GROUND_INCOMPATIBLE_CONTENT"
    let incompatibleContentGround: String
    let incompatibleContentExplanation: String
    let incompatibleContentIllegal = "No"
    let contentType = ["CONTENT_TYPE_IMAGE", "CONTENT_TYPE_SYNTHETIC_MEDIA"]
    let category: String
    let contentDate: String
    let applicationDate: String
    let decisionFacts: String
    let sourceType = "SOURCE_VOLUNTARY"
    let automatedDetection = "Yes"
    let automatedDecision: String
    /// The decision's id. The database refuses a second statement with the same one.
    let puid: String

    private enum CodingKeys: String, CodingKey {
        case category, puid
        case decisionVisibility = "decision_visibility"
        case decisionGround = "decision_ground"
        case incompatibleContentGround = "incompatible_content_ground"
        case incompatibleContentExplanation = "incompatible_content_explanation"
        case incompatibleContentIllegal = "incompatible_content_illegal"
        case contentType = "content_type"
        case contentDate = "content_date"
        case applicationDate = "application_date"
        case decisionFacts = "decision_facts"
        case sourceType = "source_type"
        case automatedDetection = "automated_detection"
        case automatedDecision = "automated_decision"
    }

    /// Drafts the statement of a decision; nil if it restricts nothing, because only a block is a restriction.
    init?(_ decision: DecisionRecord, _ options: Options) {
        guard decision.action == "block" else { return nil }
        let day = String(decision.time.prefix("YYYY-MM-DD".count))
        incompatibleContentGround = options.ground
        incompatibleContentExplanation = options.explanation
        category = options.category
        contentDate = options.contentDate ?? day
        applicationDate = day
        automatedDecision = decision.review == nil ? "AUTOMATED_DECISION_FULLY" : "AUTOMATED_DECISION_PARTIALLY"
        decisionFacts = Self.facts(decision.body, isReviewed: decision.review != nil)
        puid = decision.id
    }

    private static func facts(_ body: DecisionRecord.Body, isReviewed: Bool) -> String {
        let models = body.models.filter { $0.status == 200 }.map { "\($0.name) \($0.version ?? "")" }
        let people = isReviewed ? ", and a person reviewed it." : " without human intervention."
        var facts = ["Software (Bifrons \(body.release)) assessed the image\(people)"]
        if let probability = body.exactProbability {
            let thousandths = Int((probability * 1000).rounded())
            let faces = body.regions.count { $0.face }
            facts.append(
                "On a scale from 0 to 1000 it estimated \(thousandths) as the probability that the image is AI-generated"
                    + (faces > 0 ? ", by the most suspicious of \(faces) assessed faces" : "")
                    + " (models: \(models.joined(separator: ", "))).")
        } else {
            facts.append("It found no face in the image.")
        }
        let verb = isReviewed ? "assessed" : "restricted"
        facts.append("The image was \(verb) by version \(body.policyVersion) of the policy '\(body.policy)'.")
        if !body.reasons.isEmpty {
            facts.append("Clauses of the policy that contributed: \(body.reasons.joined(separator: ", ")).")
        }
        return facts.joined(separator: " ")
    }
}
