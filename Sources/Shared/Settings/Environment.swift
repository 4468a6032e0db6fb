import FoundationEssentials

/// The environment that settings are read from.
public enum Environment {
    /// The variables of this process.
    public static var ofProcess: [String: String] { ProcessInfo.processInfo.environment }
}
