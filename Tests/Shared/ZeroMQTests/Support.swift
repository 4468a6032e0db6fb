import BifronsZeroMQ
import Glibc
import Testing

/// Longer than anything here takes, even on a machine that is very busy.
let patience = 20_000

/// Sockets at work: what the tests say in one line. All waits are bounded.
extension Socket {
    /// The next message, which must come.
    borrowing func next(maxFrames: Int = 64) throws -> Message {
        let message = Message()
        while try !receive(into: message, maxFrames: maxFrames) {
            try #require(try wait(milliseconds: patience), "no message came")
        }
        return message
    }

    /// Sends text frames; they must be sent.
    borrowing func send(_ frames: String...) throws {
        let outcome = try send(Message(frames))
        try #require(outcome == .sent)
    }
}

extension Message {
    convenience init(_ frames: [String]) {
        self.init()
        for frame in frames { append(frame) }
    }

    var strings: [String] { (0..<count).map { string(at: $0) } }
    var arrays: [[UInt8]] { (0..<count).map { array(at: $0) } }
}

extension Monitor {
    /// Waits until an event of one of these kinds comes, passing over others.
    borrowing func next(_ kinds: MonitorEvent.Kind...) throws -> MonitorEvent {
        while true {
            if let event = try receive() {
                if kinds.contains(event.kind) { return event }
            } else {
                try #require(try wait(milliseconds: patience), "none of \(kinds) came")
            }
        }
    }
}

/// A folder for ipc endpoints that is removed with its content.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/bifrons-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        guard let folder = opendir(path) else { return }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            unlink("\(path)/\(name)")
        }
        closedir(folder)
        rmdir(path)
    }
}

/// Where a test's sockets meet.
enum Transport: String, CaseIterable {
    case tcp, ipc, inproc

    /// An endpoint to bind; the real one is the socket's `lastEndpoint`.
    func endpoint(in folder: TemporaryFolder) -> String {
        switch self {
        case .tcp: "tcp://127.0.0.1:*"
        case .ipc: "ipc://\(folder.path)/socket"
        case .inproc: "inproc://test"
        }
    }
}

/// Runs `body` on a thread of its own while `meanwhile` runs here, and waits for it. (Tasks would not do: the tests' waits
/// hold the threads of the task pool.)
func onAnotherThread(_ body: @escaping @Sendable () -> Void, meanwhile: () throws -> Void) throws {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body)).toOpaque()
    try #require(
        pthread_create(
            &thread, nil,
            {
                Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().body()
                return nil
            }, box) == 0)
    defer { pthread_join(thread, nil) }
    try meanwhile()
}

/// Whether this machine can listen at ::1.
func hasIPv6Loopback() -> Bool {
    let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_addr = in6addr_loopback
    let size = socklen_t(MemoryLayout<sockaddr_in6>.size)
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
    } == 0
}

/// The descriptor of a connection to an ipc path on which nothing is sent yet.
func connectSilently(to path: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
    try #require(result == 0)
    return descriptor
}
