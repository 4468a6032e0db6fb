import CLinux
import Glibc
import Synchronization

/// A system thread, for work that blocks or computes for so long that it would hold up other tasks.
package final class PlatformThread: Sendable {
    /// The system could not create the thread.
    package struct StartError: Error, Equatable, Sendable, CustomStringConvertible {
        /// The thread's name.
        package let name: String
        /// The error number of `pthread_create`.
        package let errno: Int32

        package var description: String {
            "cannot start thread \(name): \(String(cString: strerror(errno))); raise the limit of processes (ulimit -u)"
        }
    }

    /// The name, of which `ps -T` and debuggers show the first 15 bytes.
    package let name: String
    private let unjoined: Mutex<pthread_t?>

    /// Starts a thread that runs `body` and then ends.
    package init(name: String, _ body: sending @escaping () -> Void) throws(StartError) {
        self.name = name
        let start = Unmanaged.passRetained(Start(name, body))
        var thread = pthread_t()
        let errno = pthread_create(
            &thread, nil,
            { argument in
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                bifrons_set_thread_name(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        guard errno == 0 else {
            start.release()
            throw StartError(name: name, errno: errno)
        }
        unjoined = Mutex(thread)
    }

    deinit {
        unjoined.withLock { if let thread = $0 { pthread_detach(thread) } }
    }

    /// Waits until `body` has returned. Any other thread may call this, any number of times.
    package func join() {
        unjoined.withLock { thread in
            if let running = thread { pthread_join(running, nil) }
            thread = nil
        }
    }

    private final class Start {
        let name: String
        let body: () -> Void

        init(_ name: String, _ body: @escaping () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
