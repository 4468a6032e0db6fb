import BifronsWire
import Glibc
import ImageDecoding
import WorkerService

/// Reads an image as an order: an attempt and its operand, such as `open /etc/passwd`. With `library` in front, a thread
/// that is older than the sandbox makes the attempt. The outcome is the message of the error that the image gets.
struct HostileDecoder: Cutter {
    let identity = ModelIdentity(name: "locator", version: "1.0.0", digest: "sha256:00")
    let preprocessing: UInt16 = 3
    private let library: OlderThread

    init() throws {
        library = try OlderThread()
    }

    func cut(_ file: UnsafeRawBufferPointer, as specifications: [CropSpecification]) throws -> CutImage {
        let words = String(decoding: file, as: UTF8.self).split(separator: " ").map(String.init)
        let outcome =
            words.first == "library"
            ? library.perform { Attempt.make(Array(words.dropFirst())) } : Attempt.make(words)
        throw DecodeError(status: 422, code: "image_corrupt", message: outcome)
    }
}

/// A thread that waits for a closure to run.
// `@unchecked`: the semaphores let only one side at a time use the closure and its result, and images come one by one.
private final class OlderThread: @unchecked Sendable {
    private let begin = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private let end = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private var work: () -> String = { "" }
    private var result = ""

    struct CannotStart: Error {}

    init() throws {
        sem_init(begin, 0, 0)
        sem_init(end, 0, 0)
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { argument in
                let thread = Unmanaged<OlderThread>.fromOpaque(argument!).takeUnretainedValue()
                while true {
                    while sem_wait(thread.begin) != 0 {}
                    thread.result = thread.work()
                    sem_post(thread.end)
                }
            }, Unmanaged.passRetained(self).toOpaque())
        guard error == 0 else { throw CannotStart() }
    }

    func perform(_ work: @escaping () -> String) -> String {
        self.work = work
        sem_post(begin)
        while sem_wait(end) != 0 {}
        return result
    }
}

/// What a decoder that was taken over may try.
private enum Attempt {
    /// Makes an attempt, and returns "done" or the system's error.
    static func make(_ words: [String]) -> String {
        let operand = words.dropFirst().first ?? ""
        let port = UInt16(operand) ?? 0
        return switch words.first {
        case "open": outcome(open(operand, O_RDONLY))
        case "write": outcome(open(operand, O_WRONLY | O_CREAT, 0o600))
        case "remove": outcome(unlink(operand))
        case "connect": connect(to: port, socketProtocol: 0)
        // Multipath TCP, for which Landlock has no rules.
        case "multipath": connect(to: port, socketProtocol: 262)
        case "unix": outcome(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
        case "datagram": outcome(socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0))
        case "raw": outcome(socket(AF_INET, Int32(SOCK_RAW.rawValue), 1))
        case "listen": listen()
        case "signal": outcome(kill(pid_t(operand) ?? 1, 0))
        case "code": code()
        case "thread": thread()
        case "fork": fork()
        case "spawn": spawn()
        case "execute": execute()
        default: "no such attempt"
        }
    }

    private static func outcome(_ result: Int32) -> String {
        result >= 0 ? "done" : String(cString: strerror(errno))
    }

    private static func withLoopback(
        _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    private static func connect(to port: UInt16, socketProtocol: Int32) -> String {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), socketProtocol)
        if socket < 0 { return "no socket: " + outcome(socket) }
        defer { close(socket) }
        return outcome(withLoopback(port) { Glibc.connect(socket, $0, $1) })
    }

    private static func listen() -> String {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if socket < 0 { return "no socket: " + outcome(socket) }
        defer { close(socket) }
        let bound = withLoopback(0) { bind(socket, $0, $1) }
        return outcome(bound < 0 ? bound : Glibc.listen(socket, 1))
    }

    private static func code() -> String {
        let memory = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        defer { munmap(memory, 4096) }
        return outcome(mprotect(memory, 4096, PROT_READ | PROT_EXEC))
    }

    private static func thread() -> String {
        var thread = pthread_t()
        let error = pthread_create(&thread, nil, { _ in nil }, nil)
        if error == 0 { pthread_join(thread, nil) }
        return error == 0 ? "done" : String(cString: strerror(error))
    }

    /// Swift does not offer fork, but the C library has it.
    private static func fork() -> String {
        guard let function = dlsym(nil, "fork") else { return "no function" }
        let child = unsafeBitCast(function, to: (@convention(c) () -> pid_t).self)()
        if child == 0 { _exit(0) }
        return outcome(child)
    }

    private static func spawn() -> String {
        var child = pid_t()
        let words = [strdup("true"), nil]
        let error = posix_spawn(&child, "/bin/true", nil, nil, words, environ)
        return error == 0 ? "done" : String(cString: strerror(error))
    }

    private static func execute() -> String {
        let words = [strdup("true"), nil]
        return outcome(execv("/bin/true", words))
    }
}
