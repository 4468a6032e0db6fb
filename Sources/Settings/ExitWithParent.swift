import CLinux
import Glibc

/// Asks the system to send this process SIGTERM when its parent ends, even by kill -9.
///
/// The wish is tied to the parent's thread that started this process, so the parent starts its children on a thread that
/// lives as long as it does.
/// - Parameter parent: the parent's process id. If that has gone already, this process ends at once.
public func exitWithParent(_ parent: Int32) {
    bifrons_set_parent_death_signal(SIGTERM)
    // The parent may have ended before the wish was known to the system.
    if getppid() != parent { exit(0) }
}
