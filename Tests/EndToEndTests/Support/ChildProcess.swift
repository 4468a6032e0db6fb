import Glibc
import Testing

/// A program at work. It is ended with this object, and by the system should the tests crash.
final class ChildProcess {
    struct SpawnError: Error {
        var program: String
        var errno: Int32
    }

    struct StillRunning: Error {
        var program: String
    }

    enum End: Equatable {
        case exit(Int32)
        case signal(Int32)
    }

    let name: String
    private let pid: pid_t
    /// The other end is the child's, and closed by the system when that ends, however it ends.
    private let life: Int32
    private let outputPath: String
    private let errorPath: String
    private var end: End?

    /// - Parameters:
    ///   - name: how the files of its output in `folder` are named.
    ///   - diesWithTests: whether it understands `--exit-with-parent`.
    init(
        _ program: String, _ arguments: [String], name: String, folder: String, diesWithTests: Bool = true
    ) async throws {
        self.name = name
        outputPath = "\(folder)/\(name).out"
        errorPath = "\(folder)/\(name).err"
        var words = [program] + arguments
        if diesWithTests { words.append("--exit-with-parent=\(getpid())") }
        // The system ties the child to the thread that starts it: the main one lives as long as the tests do.
        (pid, life) = try await Self.spawn(words, outputPath: outputPath, errorPath: errorPath)
    }

    deinit {
        if end == nil {
            kill(pid, SIGKILL)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
        close(life)
    }

    var standardOutput: String { Files.text(outputPath) }
    var standardError: String { Files.text(errorPath) }

    func signal(_ signal: Int32) {
        if end == nil { kill(pid, signal) }
    }

    /// Waits for a while.
    /// - Returns: how it ended; nil if it still runs.
    func wait(milliseconds: Int) -> End? {
        if let end { return end }
        var item = pollfd(fd: life, events: Int16(POLLIN), revents: 0)
        var buffer = [UInt8](repeating: 0, count: 256)
        while poll(&item, 1, Int32(milliseconds)) > 0 {
            // What it may write there is of no interest.
            guard read(life, &buffer, buffer.count) <= 0 else { continue }
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            end = status & 0x7F == 0 ? .exit(status >> 8 & 0xFF) : .signal(status & 0x7F)
            break
        }
        return end
    }

    /// Waits until it has ended, which it must.
    func waitForEnd() throws -> End {
        guard let end = wait(milliseconds: Bounds.patience) else { throw StillRunning(program: name) }
        return end
    }

    @MainActor
    private static func spawn(_ words: [String], outputPath: String, errorPath: String) throws -> (pid_t, Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw SpawnError(program: words[0], errno: errno) }
        defer { close(ends[1]) }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        let write = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, outputPath, write, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errorPath, write, 0o600)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 3)

        // Tests of other rooms block signals in the threads they run on.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        var pid = pid_t()
        let words = words.map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        let error = posix_spawn(&pid, words[0]!, &actions, &attributes, words, environ)
        guard error == 0 else {
            close(ends[0])
            throw SpawnError(program: String(cString: words[0]!), errno: error)
        }
        return (pid, ends[0])
    }
}
