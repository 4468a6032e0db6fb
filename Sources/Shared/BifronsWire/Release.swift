/// The release of Bifrons, as reports and `--version` show it.
public enum Release {
    public static let version = "0.1.0"
}
