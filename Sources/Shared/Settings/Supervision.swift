import CLinux
import Glibc

/// The tie between a service and `bifrons up`, if that started it; otherwise nothing happens here.
package struct Supervision: Sendable {
    /// The child's end of the connection by which it says that it is ready, and by whose end the parent notices the child's.
    package static let descriptor: Int32 = 3

    private let parent: Int32?
    private let descriptor: Int32?

    init(parent: Int32?, descriptor: Int32?) {
        self.parent = parent
        self.descriptor = descriptor
    }

    /// Asks the system to send this process SIGTERM when its parent ends, even by kill -9.
    ///
    /// The wish is tied to the parent's thread that started this process, so the parent starts its children on a thread
    /// that lives as long as it does. If the parent has gone already, this process ends at once.
    package func followParent() {
        guard let parent else { return }
        bifrons_set_parent_death_signal(SIGTERM)
        // The parent may have ended before the wish was known to the system.
        if getppid() != parent { exit(0) }
    }

    /// Tells the parent that this process does its work from now on.
    /// - Parameter text: what for people to know of it, in one line: "listens at tcp://127.0.0.1:5555".
    package func announceReady(_ text: String) {
        guard let descriptor else { return }
        var line = text.replacing("\n", with: " ") + "\n"
        line.withUTF8 { _ = write(descriptor, $0.baseAddress, $0.count) }
    }

    /// The options that make a child of this process, if it finds the connection at ``descriptor``.
    package static var arguments: [String] {
        ["--exit-with-parent=\(getpid())", "--ready-descriptor=\(descriptor)"]
    }
}
