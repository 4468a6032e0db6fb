import Glibc
import Settings

/// What to start.
struct ChildCommand: Equatable {
    let executable: String
    let arguments: [String]
}

/// A process that this one started, on the thread that will see its end.
///
/// The child holds one of a pair of sockets (`Supervision.descriptor`), by which it says that it is ready, and whose end is
/// the child's end: so no signal has to be caught for it.
final class ChildProcess {
    struct StartError: Error, CustomStringConvertible {
        let description: String
    }

    let id: pid_t
    /// Readable when the child has said something or has ended.
    let descriptor: Int32
    private var said: [UInt8] = []

    /// - Parameter isQuiet: the child's standard output goes where the standard error goes.
    init(_ command: ChildCommand, isQuiet: Bool) throws(StartError) {
        var ends: [Int32] = [0, 0]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw StartError(description: "cannot open a pair of sockets: \(String(cString: strerror(errno)))")
        }
        defer { close(ends[1]) }

        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_adddup2(&files, ends[1], Supervision.descriptor)
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        if isQuiet { posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO) }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A process group of its own: ctrl-C reaches only us, who know the order in which to stop.
        posix_spawnattr_setpgroup(&attributes, 0)
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var arguments: [UnsafeMutablePointer<CChar>?] = ([command.executable] + command.arguments).map { strdup($0) }
        defer { for argument in arguments { free(argument) } }
        arguments.append(nil)
        var id: pid_t = 0
        let problem = posix_spawn(&id, command.executable, &files, &attributes, arguments, environ)
        guard problem == 0 else {
            close(ends[0])
            throw StartError(
                description: "cannot start \(command.executable): \(String(cString: strerror(problem))); "
                    + "build or install it beside bifrons")
        }
        self.id = id
        descriptor = ends[0]
    }

    deinit { close(descriptor) }

    func send(_ signal: Int32) {
        kill(id, signal)
    }

    /// What the child has said since the last call, a line each; and how it ended, if it has.
    func receive() -> (lines: [String], end: Supervisor.End?) {
        var buffer: [UInt8] = Array(repeating: 0, count: 4096)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count > 0 {
                said += buffer[..<count]
            } else if count == 0 {
                return (takeLines(), wait())
            } else if errno != EINTR {
                return (takeLines(), nil)
            }
        }
    }

    private func takeLines() -> [String] {
        guard let last = said.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        defer { said.removeSubrange(...last) }
        return said[..<last].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// Its socket is closed, so it is ending if it has not ended.
    private func wait() -> Supervisor.End {
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0 && errno == EINTR {}
        // The macros WIFSIGNALED, WTERMSIG and WEXITSTATUS.
        let signal = status & 0x7F
        return signal == 0 ? .status(status >> 8 & 0xFF) : .signal(signal)
    }
}
