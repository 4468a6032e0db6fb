import ArgumentParser
import CLinux
import Glibc

/// Ties a service to the `bifrons up` that started it with ``arguments``. Without those, the methods do nothing.
package struct Supervision: ParsableArguments, Sendable {
    /// The descriptor of the child's end of the connection on which it reports that it is ready. When the connection
    /// closes, the parent knows that the child has ended.
    package static let descriptor: Int32 = 3

    @Option(help: .hidden) var exitWithParent: Int32?
    @Option(help: .hidden) var readyDescriptor: Int32?

    /// Creates the definition of the options for ArgumentParser.
    package init() {}

    /// Asks the system to send this process SIGTERM when its parent ends, even by SIGKILL. Call this before anything
    /// else, on the main thread.
    ///
    /// The system sends the signal when the parent's thread that started this process ends, so the parent must start
    /// its children on a thread that lives as long as the parent. If the parent has ended already, this process exits.
    package func followParent() {
        guard let exitWithParent else { return }
        bifrons_set_parent_death_signal(SIGTERM)
        // The parent may have ended before this call.
        if getppid() != exitWithParent { Glibc.exit(0) }
    }

    /// Tells the parent that this process is ready for work.
    /// - Parameter text: One line for people about the service, such as "listens at tcp://127.0.0.1:5555".
    package func announceReady(_ text: String) {
        guard let readyDescriptor else { return }
        var line = text.replacing("\n", with: " ") + "\n"
        line.withUTF8 { _ = write(readyDescriptor, $0.baseAddress, $0.count) }
    }

    /// The options for a child of this process. The child must have the connection at ``descriptor``.
    package static var arguments: [String] {
        ["--exit-with-parent=\(getpid())", "--ready-descriptor=\(descriptor)"]
    }
}
