import CLinux
import Glibc

/// A signal of the system that a service reacts to.
package struct Signal: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The system's number.
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    /// SIGTERM: drain, then end.
    package static let terminate = Signal(rawValue: SIGTERM)
    /// SIGINT, sent by ctrl-C.
    package static let interrupt = Signal(rawValue: SIGINT)
    /// SIGHUP: the terminal was closed, or a service has to read its settings again.
    package static let hangUp = Signal(rawValue: SIGHUP)
    /// SIGCHLD: a child process has ended.
    package static let child = Signal(rawValue: SIGCHLD)

    package var description: String {
        switch self {
        case .terminate: "SIGTERM"
        case .interrupt: "SIGINT"
        case .hangUp: "SIGHUP"
        case .child: "SIGCHLD"
        default: "signal \(rawValue)"
        }
    }
}

/// Signals as a readable descriptor (signalfd) for a `PollSet`, in place of handlers.
///
/// Create it on the main thread before any other thread starts. It blocks the signals in the calling thread and the
/// threads which that starts; a thread that does not block them would be ended by them. They stay blocked afterwards.
/// Child processes inherit the mask, so start them with an empty one (`posix_spawnattr_setsigmask`).
package struct SignalDescriptor: ~Copyable {
    /// The system refused to create the descriptor.
    package struct OpenError: Error, Equatable, Sendable, CustomStringConvertible {
        /// The error number of `signalfd`.
        package let errno: Int32

        package var description: String { "cannot open signalfd: \(String(cString: strerror(errno)))" }
    }

    /// The descriptor, readable while signals are pending.
    package let descriptor: Int32

    /// Blocks `signals` in this thread and collects them.
    package init(_ signals: Set<Signal> = [.terminate, .interrupt, .hangUp]) throws(OpenError) {
        var mask = sigset_t()
        sigemptyset(&mask)
        for signal in signals { sigaddset(&mask, signal.rawValue) }
        pthread_sigmask(SIG_BLOCK, &mask, nil)
        descriptor = signalfd(-1, &mask, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
        if descriptor < 0 { throw OpenError(errno: errno) }
    }

    deinit { close(descriptor) }

    /// Returns the next pending signal, or nil without one. Never blocks.
    package borrowing func receive() -> Signal? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        while true {
            if read(descriptor, &info, size) == size { return Signal(rawValue: Int32(bitPattern: info.ssi_signo)) }
            if errno != EINTR { return nil }
        }
    }
}
