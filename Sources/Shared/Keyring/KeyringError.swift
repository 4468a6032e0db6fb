/// Why keys cannot be used or made, in one sentence. Never holds a key.
public struct KeyringError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}
