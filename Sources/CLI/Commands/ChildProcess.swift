import Glibc
import ProcessSupport

/// The executable and arguments of a child process.
struct ChildCommand: Equatable {
    let executable: String
    let arguments: [String]
}

/// A child process, which the thread that starts it must also wait for.
///
/// The child holds one end of a pair of sockets (`Supervision.descriptor`). It writes there when it is ready, and the
/// socket closes when the child ends, so no signal needs to be caught.
final class ChildProcess {
    struct StartError: Error, CustomStringConvertible {
        let description: String
    }

    let id: pid_t
    /// Readable when the child has written something or has ended.
    let descriptor: Int32
    private var said: [UInt8] = []

    /// Starts the child process.
    ///
    /// - Parameters:
    ///   - command: The executable and its arguments.
    ///   - isQuiet: Whether the child's standard output is redirected to the standard error.
    /// - Throws: ``StartError`` if the process cannot be started.
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
        // A separate process group, so that ctrl-C reaches only this process, which knows the order in which to stop.
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

    /// Returns the lines that the child has written since the last call, and how it ended if it has.
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

    /// Waits for the child's end. Its socket is closed, so it has ended or is about to.
    private func wait() -> Supervisor.End {
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0 && errno == EINTR {}
        // The macros WIFSIGNALED, WTERMSIG and WEXITSTATUS are not imported.
        let signal = status & 0x7F
        return signal == 0 ? .status(status >> 8 & 0xFF) : .signal(signal)
    }
}
