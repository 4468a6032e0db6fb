/// The declaration of a bank of known images in `banks.json`.
package struct Bank: Hashable, Sendable {
    /// What should happen to an image that matches the bank.
    package enum Kind: String, CaseIterable, Sendable {
        case block, review, allow
    }

    /// The maximum length of a name in bytes.
    package static let nameBytes = 64

    /// The name: 1 to 64 of the characters A-Z, 0-9 and `_`.
    package let name: String
    package let kind: Kind
    /// The maximum Hamming distance, 0 to 31, of a match by PDQ.
    package let distance: Int
    /// Whether images are looked up in the bank. The files of a disabled bank are checked, too.
    package let isEnabled: Bool
    /// The signals that the operator found to be right, however often they match (see ``FloodGuard``).
    package let verified: Set<Signal>

    /// Creates a bank.
    ///
    /// - Precondition: `distance` is 0 to 31.
    package init(
        name: String, kind: Kind, distance: Int = HashIndex.maxDistance, isEnabled: Bool = true,
        verified: Set<Signal> = []
    ) {
        precondition((0...HashIndex.maxDistance).contains(distance))
        self.name = name
        self.kind = kind
        self.distance = distance
        self.isEnabled = isEnabled
        self.verified = verified
    }

    /// Returns whether a text can be a bank's name.
    static func isName(_ text: String) -> Bool {
        (1...nameBytes).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
