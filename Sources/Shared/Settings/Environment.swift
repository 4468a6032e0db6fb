import FoundationEssentials

/// The environment that settings are read from.
package enum Environment {
    /// The variables of this process.
    package static var ofProcess: [String: String] { ProcessInfo.processInfo.environment }
}
