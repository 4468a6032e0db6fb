import Glibc

/// How long things may take.
package enum Bounds {
    /// Milliseconds; longer than anything here takes, even on a machine that is very busy. (Under sanitizers everything takes
    /// several times as long: scripts/sanitize.)
    package static let patience = getenv("TEST_PATIENCE_MS").flatMap { Int(String(cString: $0)) } ?? 30_000
}
