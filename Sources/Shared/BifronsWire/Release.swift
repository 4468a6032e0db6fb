/// Which release of Bifrons this is; reports and `--version` tell it.
public enum Release {
    public static let version = "0.1.0"
}
