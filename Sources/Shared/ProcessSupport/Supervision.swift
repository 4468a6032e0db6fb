import ArgumentParser
import CLinux
import Glibc

/// The tie between a service and `bifrons up`, if that started it with ``arguments``; otherwise nothing happens here.
package struct Supervision: ParsableArguments, Sendable {
    /// The child's end of the connection by which it says that it is ready, and by whose end the parent notices the child's.
    package static let descriptor: Int32 = 3

    @Option(help: .hidden) var exitWithParent: Int32?
    @Option(help: .hidden) var readyDescriptor: Int32?

    /// What ArgumentParser reads a command line by.
    package init() {}

    /// Asks the system to send this process SIGTERM when its parent ends, even by kill -9. Call it first of all, on the main
    /// thread.
    ///
    /// The wish is tied to the parent's thread that started this process, so the parent starts its children on a thread
    /// that lives as long as it does. If the parent has gone already, this process ends at once.
    package func followParent() {
        guard let exitWithParent else { return }
        bifrons_set_parent_death_signal(SIGTERM)
        // The parent may have ended before the wish was known to the system.
        if getppid() != exitWithParent { Glibc.exit(0) }
    }

    /// Tells the parent that this process does its work from now on.
    /// - Parameter text: what for people to know of it, in one line: "listens at tcp://127.0.0.1:5555".
    package func announceReady(_ text: String) {
        guard let readyDescriptor else { return }
        var line = text.replacing("\n", with: " ") + "\n"
        line.withUTF8 { _ = write(readyDescriptor, $0.baseAddress, $0.count) }
    }

    /// The options that make a child of this process, if it finds the connection at ``descriptor``.
    package static var arguments: [String] {
        ["--exit-with-parent=\(getpid())", "--ready-descriptor=\(descriptor)"]
    }
}
