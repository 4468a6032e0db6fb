/// The reason why keys cannot be used or made, in one sentence. It never contains a key.
package struct KeyringError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
