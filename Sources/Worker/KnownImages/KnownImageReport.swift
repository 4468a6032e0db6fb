/// The lookup result of an image: its matches in all banks.
package struct KnownImageReport: Hashable, Sendable {
    /// The maximum number of matches in a report.
    package static let maxMatches = 32
    /// The maximum number of matches of one bank.
    package static let matchesOfBank = 4

    /// A match with one signal of a bank.
    package struct Match: Hashable, Sendable {
        package let bank: String
        /// The kind of the bank, or `review` while the item is in quarantine.
        package internal(set) var kind: Bank.Kind
        /// The Hamming distance of the PDQ hashes, 0 to 31; 0 for a SHA-256.
        package let distance: Int
        /// The quality, 0 to 100, of the PDQ hash of the looked-up image.
        package let quality: Int
        /// The number of the signal in its bank: its line number, from 1, counted through all files of the bank.
        package let item: Int
        /// The signal of the bank. Only the operator may see it, because it reveals the content of the bank.
        package let signal: Signal
        /// Whether the operator verified the signal, so that it never goes into quarantine.
        package var isVerified = false
        /// How the match is treated if its item is in quarantine (see ``FloodGuard``); nil: the item is not.
        package internal(set) var quarantine: Quarantine?

        /// Whether the SHA-256 of the file matches.
        package var isSHA256: Bool { signal.kind == .sha256 }
    }

    /// How a match is treated whose item is in quarantine.
    package enum Quarantine: Hashable, Sendable {
        /// One of the first matches, which go to the reviewers.
        case sampled
        /// A further match, which is only counted.
        case counted
    }

    /// The hash of the image. If its quality is too low, all matches are by SHA-256.
    package let pdq: PDQ
    /// The matches, sorted by kind (block, review, allow), then SHA-256 before PDQ, then by distance, then in the order
    /// of the banks in `banks.json`.
    ///
    /// Contains the 4 best matches of each bank. If these are more than 32, the fourth, third and second best matches
    /// are left out first, so the best match of every bank is included.
    package internal(set) var matches: [Match]
}
