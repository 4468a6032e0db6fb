import Glibc
import TestKit
import Testing

/// A running program. It is ended with this object, or by the system if the tests crash.
final class ChildProcess {
    struct StillRunning: Error {
        var program: String
    }

    enum End: Equatable {
        case exit(Int32)
        case signal(Int32)
    }

    let name: String
    private let child: Spawner.Child
    private let outputPath: String
    private let errorPath: String
    private var end: End?

    /// Starts the program.
    ///
    /// - Parameters:
    ///   - program: The path of the executable.
    ///   - arguments: Its arguments.
    ///   - name: The name of its output files in `folder`.
    ///   - folder: The folder for its output.
    ///   - diesWithTests: Whether it supports `--exit-with-parent`.
    init(
        _ program: String, _ arguments: [String], name: String, folder: String, diesWithTests: Bool = true
    ) throws {
        self.name = name
        outputPath = "\(folder)/\(name).out"
        errorPath = "\(folder)/\(name).err"
        var words = [program] + arguments
        if diesWithTests { words.append("--exit-with-parent=\(getpid())") }
        child = try Spawner.shared.get().spawn(words, outputPath: outputPath, errorPath: errorPath)
    }

    deinit {
        if end == nil {
            kill(child.pid, SIGKILL)
            var status: Int32 = 0
            waitpid(child.pid, &status, 0)
        }
        close(child.life)
    }

    /// The process id, for `/proc` and signals; not valid once the process has ended.
    var pid: pid_t { child.pid }
    var standardOutput: String { Files.text(outputPath) }
    var standardError: String { Files.text(errorPath) }

    func signal(_ signal: Int32) {
        if end == nil { kill(child.pid, signal) }
    }

    /// Waits for a limited time.
    ///
    /// - Returns: How the program ended; nil if it still runs.
    func wait(milliseconds: Int) -> End? {
        if let end { return end }
        var item = pollfd(fd: child.life, events: Int16(POLLIN), revents: 0)
        var buffer = [UInt8](repeating: 0, count: 256)
        while poll(&item, 1, Int32(milliseconds)) > 0 {
            // Anything that the program writes there is ignored.
            guard read(child.life, &buffer, buffer.count) <= 0 else { continue }
            var status: Int32 = 0
            waitpid(child.pid, &status, 0)
            end = status & 0x7F == 0 ? .exit(status >> 8 & 0xFF) : .signal(status & 0x7F)
            break
        }
        return end
    }

    /// Waits until a condition holds, which must happen while the program runs.
    func wait(until condition: () throws -> Bool) throws {
        var tries = Bounds.patience / 20
        while try !condition() {
            tries -= 1
            // Also the pause between two checks.
            try #require(wait(milliseconds: 20) == nil && tries > 0, "\(name) said: \(standardError)")
        }
    }

    /// Waits until the program has ended, which it must.
    func waitForEnd() throws -> End {
        guard let end = wait(milliseconds: Bounds.patience) else { throw StillRunning(program: name) }
        return end
    }
}
