import BifronsZeroMQ
import Glibc
import Reactor
import TestKit
import Testing

/// Starts programs on a thread that lives as long as the tests. A child that asks to end with its parent is tied by the
/// system to the thread that started it.
final class Spawner: Sendable {
    struct SpawnError: Error {
        var program: String
        var errno: Int32
    }

    struct Child: Sendable {
        var pid: pid_t
        /// The parent's end of a socket pair. The other end is the child's descriptor 3, which the system closes
        /// whenever the child ends.
        var life: Int32
    }

    private struct Order: Sendable {
        let words: [String]
        let outputPath: String
        let errorPath: String
        let answer: Mailbox<Result<Child, SpawnError>>
    }

    static let shared = Result { try Spawner() }

    private let orders = Result { try Mailbox<Order>() }
    private let thread: PlatformThread

    private init() throws {
        let orders = try orders.get()
        thread = try PlatformThread(name: "spawner") {
            var polled = PollSet()
            _ = polled.add(descriptor: orders.descriptor)
            while (try? polled.wait(milliseconds: -1)) != nil {
                for order in orders.drain() { order.answer.post(Self.spawn(order)) }
            }
        }
    }

    /// Starts a program.
    ///
    /// - Parameter words: The program's path and its arguments.
    func spawn(_ words: [String], outputPath: String, errorPath: String) throws -> Child {
        let answer = try Mailbox<Result<Child, SpawnError>>()
        try orders.get().post(Order(words: words, outputPath: outputPath, errorPath: errorPath, answer: answer))
        var polled = PollSet()
        _ = polled.add(descriptor: answer.descriptor)
        _ = try polled.wait(milliseconds: Bounds.patience)
        return try #require(answer.drain().first, "\(words[0]) was not started in time").get()
    }

    private static func spawn(_ order: Order) -> Result<Child, SpawnError> {
        func failure(_ errno: Int32) -> Result<Child, SpawnError> {
            .failure(SpawnError(program: order.words[0], errno: errno))
        }
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { return failure(errno) }
        defer { close(ends[1]) }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        let write = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, order.outputPath, write, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, order.errorPath, write, 0o600)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 3)
        // SwiftNIO's sockets are inherited otherwise, and a connection that a child has does not end before the child.
        for descriptor in Files.names(in: "/proc/self/fd").compactMap({ Int32($0) }) where descriptor > 3 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }

        // Tests of other modules block signals in the threads they run on.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        // A shell that runs the tests in the background has them ignore SIGINT, and children inherit that.
        var interrupt = sigset_t()
        sigemptyset(&interrupt)
        sigaddset(&interrupt, SIGINT)
        posix_spawnattr_setsigdefault(&attributes, &interrupt)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let words = order.words.map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var pid = pid_t()
        let error = posix_spawn(&pid, words[0]!, &actions, &attributes, words, environ)
        guard error == 0 else {
            close(ends[0])
            return failure(error)
        }
        return .success(Child(pid: pid, life: ends[0]))
    }
}
