import FoundationEssentials

/// The environment from which settings are read.
package enum Environment {
    /// The environment variables of this process.
    package static var ofProcess: [String: String] { ProcessInfo.processInfo.environment }
}
