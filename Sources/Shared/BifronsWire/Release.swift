/// The release of Bifrons, as reports and `--version` show it.
public enum Release {
    /// The version, according to Semantic Versioning.
    public static let version = "0.1.0"
}
