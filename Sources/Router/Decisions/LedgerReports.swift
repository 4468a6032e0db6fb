/// The members of the reply to the verb `erase`.
package struct ErasureReceipt: Encodable, Equatable, Sendable {
    /// The durable jobs that were removed, with their results.
    package var jobs = 0
    /// The images among them.
    package var images = 0
    /// The decisions whose personal part was removed.
    package var decisions = 0
    /// What the corrections of these decisions name.
    package var receipt: String

    package init(receipt: String) {
        self.receipt = receipt
    }
}

/// The members of the reply to the verb `verify`.
package struct LedgerVerification: Encodable, Equatable, Sendable {
    /// The first decision that is not as it was recorded.
    package struct Problem: Encodable, Equatable, Sendable {
        package var decision: String
        package var sequence: Int64
        package var message: String

        package init(decision: String, sequence: Int64, message: String) {
            self.decision = decision
            self.sequence = sequence
            self.message = message
        }
    }

    /// The number of decisions that are as they were recorded.
    package var checked = 0
    /// Where to go on; nil at the end of the ledger.
    package var next: Int64?
    package var problem: Problem?

    package init() {}
}

/// The members of the reply to the verb `replay`, besides the decision.
package struct ReplayReport: Encodable, Equatable, Sendable {
    /// Whether the stored bits lead to the same decision.
    package var isSame: Bool
    /// The names of the fields that come out otherwise.
    package var differences: [String]

    package init(differences: [String]) {
        isSame = differences.isEmpty
        self.differences = differences
    }

    private enum CodingKeys: String, CodingKey {
        case isSame = "same"
        case differences
    }
}
