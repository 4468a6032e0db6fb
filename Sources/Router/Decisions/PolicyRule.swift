internal import BifronsWire

/// A field of evidence that a clause can read. Texts that a file contains, such as the signer's name, are not among
/// them: anyone can write any name.
enum EvidenceField: String, CaseIterable {
    case claim = "provenance.claim"
    case trust = "provenance.trust"
    case source = "provenance.source"
    case bank = "known.bank"
    case bankKind = "known.bank_kind"

    var kind: EvidenceKind {
        switch self {
        case .claim, .trust, .source: .provenance
        case .bank, .bankKind: .known
        }
    }

    /// The values that the field can have; nil for the names of banks.
    var values: [String]? {
        switch self {
        case .claim: ProvenanceEvidence.Claim.allCases.map(\.rawValue)
        case .trust: ProvenanceEvidence.Trust.allCases.map(\.rawValue)
        case .source: ProvenanceEvidence.Source.allCases.map(\.rawValue)
        case .bank: nil
        case .bankKind: KnownEvidence.BankKind.allCases.map(\.rawValue)
        }
    }
}

/// A checked clause.
struct PolicyRule: Sendable {
    /// A field of evidence with the values that meet the clause.
    private struct Condition: Sendable {
        let field: EvidenceField
        let values: [String]

        func isMet(by value: String?) -> Bool {
            value.map(values.contains) ?? false
        }
    }

    /// Whether evidence meets the clause; nil if that cannot be told because evidence is missing.
    private func isMet(by evidence: [EvidenceFacts]) -> Bool? {
        var isMissing = false
        for (kind, conditions) in conditions {
            guard let facts = evidence.first(where: { $0.kind == kind.rawValue }), facts.isPresent else {
                isMissing = true
                continue
            }
            if !Self.meets(facts, conditions) { return false }
        }
        return isMissing ? nil : true
    }

    /// Whether evidence of one kind meets the conditions on that kind. Those on known images must be met by one match.
    private static func meets(_ facts: EvidenceFacts, _ conditions: [Condition]) -> Bool {
        (facts.matches?.map { Optional($0) } ?? (facts.claim == nil ? [] : [nil])).contains { match in
            conditions.allSatisfy { condition in
                switch condition.field {
                case .claim: condition.isMet(by: facts.claim)
                case .trust: condition.isMet(by: facts.trust)
                case .source: condition.isMet(by: facts.source)
                case .bank: condition.isMet(by: match?.bank)
                case .bankKind: condition.isMet(by: match?.bankKind)
                }
            }
        }
    }

    private let conditions: [(kind: EvidenceKind, conditions: [Condition])]
    private let atLeast: ResultDocument.PolicyAction
    private let atMost: ResultDocument.PolicyAction
    private let reason: String

    /// Changes the verdict's action if the evidence meets the clause. A clause that would change nothing leaves no
    /// reason.
    func apply(_ evidence: [EvidenceFacts], to verdict: inout ResultDocument.Verdict) {
        let action = min(max(verdict.action, atLeast), atMost)
        guard action != verdict.action, let reason = reason(evidence) else { return }
        if reason != ResultDocument.Verdict.evidenceMissing { verdict.action = action }
        if !verdict.reasons.contains(reason) { verdict.reasons.append(reason) }
    }

    private func reason(_ evidence: [EvidenceFacts]) -> String? {
        switch isMet(by: evidence) {
        case true?: reason
        case false?: nil
        case nil: ResultDocument.Verdict.evidenceMissing
        }
    }
}

// MARK: Checking

extension PolicyRule {
    /// The most clauses of a policy.
    private static let mostClauses = 64
    /// The reasons that are not of a clause.
    private static let reserved = [ResultDocument.Verdict.evidenceMissing, ResultDocument.Verdict.degraded]

    /// Checks the clauses of a policy.
    ///
    /// - Parameters:
    ///   - clauses: the clauses as they are written.
    ///   - place: the place of the policy in its file, for errors.
    ///   - evidence: the kinds of evidence that the ensemble names.
    static func rules(
        _ clauses: [Policy.Clause], of place: String, evidence: [EvidenceKind]
    ) throws(Ensemble.Invalid) -> [PolicyRule] {
        guard clauses.count <= mostClauses else {
            throw Ensemble.Invalid(
                message: "\(place).clauses has \(clauses.count) clauses, more than \(mostClauses)")
        }
        var rules: [PolicyRule] = []
        for (index, clause) in clauses.enumerated() {
            rules.append(
                try PolicyRule(clause, path: "\(place).clauses[\(index)]", evidence: evidence))
        }
        return rules
    }

    /// - Parameter path: the place of the clause in the file, for errors.
    private init(_ clause: Policy.Clause, path: String, evidence: [EvidenceKind]) throws(Ensemble.Invalid) {
        let conditions = try Self.conditions(clause.conditions, path: "\(path).if", evidence: evidence)
        let kinds = EvidenceKind.allCases.filter { kind in conditions.contains { $0.field.kind == kind } }
        self.conditions = kinds.map { kind in (kind, conditions.filter { $0.field.kind == kind }) }
        reason = clause.reason ?? kinds[0].rawValue
        guard Self.isReason(reason), !Self.reserved.contains(reason) else {
            throw Ensemble.Invalid(
                message: "\(path).reason must have 1 to \(Limits.nameBytes) lower-case letters, digits, - and _, and "
                    + "be none of \(Self.reserved.joined(separator: ", "))")
        }
        switch (clause.atLeast, clause.atMost) {
        case (let bound?, nil):
            (atLeast, atMost) = (bound, .block)
            try Self.checkRaising(to: bound, conditions, path)
        case (nil, let bound?):
            (atLeast, atMost) = (.allow, bound)
            try Self.checkLowering(to: bound, conditions, path)
        case (nil, nil):
            throw Ensemble.Invalid(message: "\(path) has neither at_least nor at_most: give one of them")
        default: throw Ensemble.Invalid(message: "\(path) has both at_least and at_most: keep one of them")
        }
    }

    private static func conditions(
        _ written: [String: [String]], path: String, evidence: [EvidenceKind]
    ) throws(Ensemble.Invalid) -> [Condition] {
        let fields = EvidenceField.allCases.map(\.rawValue)
        if let unknown = written.keys.sorted().first(where: { !fields.contains($0) }) {
            throw Ensemble.Invalid(
                message: "\(path) names '\(unknown)', which is no field of evidence; there are "
                    + fields.joined(separator: ", "))
        }
        var conditions: [Condition] = []
        for field in EvidenceField.allCases {
            guard let values = written[field.rawValue] else { continue }
            let path = "\(path).\(field.rawValue)"
            guard evidence.contains(field.kind) else {
                throw Ensemble.Invalid(
                    message: "\(path) reads the evidence '\(field.kind.rawValue)', which 'evidence' does not name")
            }
            guard !values.isEmpty else { throw Ensemble.Invalid(message: "\(path) has no value: give at least one") }
            if let known = field.values, let value = values.first(where: { !known.contains($0) }) {
                throw Ensemble.Invalid(message: "\(path) is '\(value)'; it may be \(known.joined(separator: ", "))")
            }
            if field.values == nil, let name = values.first(where: { !KnownEvidence.isBankName($0) }) {
                throw Ensemble.Invalid(
                    message: "\(path) is '\(name)'; the name of a bank has 1 to \(Limits.nameBytes) capital letters, "
                        + "digits and _")
            }
            conditions.append(Condition(field: field, values: values))
        }
        guard !conditions.isEmpty else {
            throw Ensemble.Invalid(message: "\(path) is empty: name a field of evidence, such as provenance.claim")
        }
        return conditions
    }

    /// Checks that no unsigned claim, which anyone can add to a file, blocks an image.
    private static func checkRaising(
        to bound: ResultDocument.PolicyAction, _ conditions: [Condition], _ path: String
    ) throws(Ensemble.Invalid) {
        guard bound != .allow else {
            throw Ensemble.Invalid(message: "\(path).at_least is 'allow', which changes nothing: use review or block")
        }
        let isUnsigned = trusts(conditions)?.contains(ProvenanceEvidence.Trust.unsigned.rawValue) ?? false
        guard bound != .block || !isUnsigned else {
            throw Ensemble.Invalid(
                message: "\(path).at_least is 'block' for provenance that may be unsigned, which anyone can add to a "
                    + "file: leave 'unsigned' out of provenance.trust, or use review")
        }
    }

    /// Checks that no provenance lowers an action unless it is trusted: a file says what its maker wants.
    private static func checkLowering(
        to bound: ResultDocument.PolicyAction, _ conditions: [Condition], _ path: String
    ) throws(Ensemble.Invalid) {
        guard bound != .block else {
            throw Ensemble.Invalid(message: "\(path).at_most is 'block', which changes nothing: use allow or review")
        }
        let trusted = [ProvenanceEvidence.Trust.trusted.rawValue]
        guard trusts(conditions).map({ Set($0) == Set(trusted) }) ?? true else {
            throw Ensemble.Invalid(
                message: "\(path).at_most lowers the action by provenance that may not be trusted, which anyone can "
                    + "add to a file: add \"provenance.trust\": \"trusted\"")
        }
    }

    /// The values of trust that meet the conditions: all of them unless the conditions name some. Nil if no condition
    /// is about provenance.
    private static func trusts(_ conditions: [Condition]) -> [String]? {
        guard conditions.contains(where: { $0.field.kind == .provenance }) else { return nil }
        return conditions.first { $0.field == .trust }?.values ?? EvidenceField.trust.values
    }

    private static func isReason(_ text: String) -> Bool {
        (1...Limits.nameBytes).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                    UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
