import CSandbox
import Glibc
import Testing

/// Tests what the filter of system calls decides, by running it as the kernel would. Nothing here is restricted.
struct FilterTests {
    #if arch(x86_64)
        private static let architecture: UInt32 = 0xC000_003E
        private static let otherArchitecture: UInt32 = 0x4000_0003
        private static let calls = [
            "read": 0, "write": 1, "mmap": 9, "mprotect": 10, "sendto": 44, "socket": 41, "connect": 42, "bind": 49,
            "listen": 50,
            "clone": 56, "execve": 59, "kill": 62, "fcntl": 72, "mkdirat": 258, "unlinkat": 263, "ptrace": 101,
            "openat": 257, "getdents64": 217, "prctl": 157, "prlimit64": 302, "io_uring_setup": 425, "bpf": 321,
            "memfd_create": 319,
        ]
    #else
        private static let architecture: UInt32 = 0xC000_00B7
        private static let otherArchitecture: UInt32 = 0x4000_0028
        private static let calls = [
            "read": 63, "write": 64, "mmap": 222, "mprotect": 226, "sendto": 206, "socket": 198, "connect": 203,
            "bind": 200,
            "listen": 201, "clone": 220, "execve": 221, "kill": 129, "fcntl": 25, "mkdirat": 34, "unlinkat": 35,
            "ptrace": 117, "openat": 56, "getdents64": 61, "prctl": 167, "prlimit64": 261, "io_uring_setup": 425,
            "bpf": 280,
            "memfd_create": 279,
        ]
    #endif

    private enum Outcome: Equatable {
        case allowed
        case error(Int32)
        case killed
    }

    private static let ipc = bifrons_filter_allowance(
        unix_sockets: true, tcp: false, udp: false, reading: false, code: false)
    private static let address = bifrons_filter_allowance(
        unix_sockets: false, tcp: true, udp: false, reading: false, code: false)
    private static let name = bifrons_filter_allowance(
        unix_sockets: true, tcp: true, udp: true, reading: true, code: true)
    private static let pid: Int32 = 1234

    /// Runs the filter on a system call, as the kernel's interpreter does (the classic BPF that the filter uses).
    private static func decide(
        _ allowance: bifrons_filter_allowance, _ call: Int, _ arguments: [UInt64] = [],
        architecture: UInt32 = architecture
    ) throws -> Outcome {
        var filter = [sock_filter](repeating: sock_filter(), count: Int(bifrons_filter_capacity))
        let count = bifrons_filter_write(allowance, pid, &filter)
        try #require(count <= filter.count)
        // struct seccomp_data: the number, the architecture, the instruction's address and six arguments.
        let arguments = arguments + Array(repeating: 0, count: 6 - arguments.count)
        var words = [UInt32(call), architecture, 0, 0]
        for argument in arguments {
            words += [UInt32(truncatingIfNeeded: argument), UInt32(truncatingIfNeeded: argument >> 32)]
        }
        var accumulator: UInt32 = 0
        var next = 0
        while next < count {
            let instruction = filter[next]
            next += 1
            switch Int32(instruction.code) {
            case BPF_LD | BPF_W | BPF_ABS: accumulator = words[Int(instruction.k) / 4]
            case BPF_ALU | BPF_AND | BPF_K: accumulator &= instruction.k
            case BPF_JMP | BPF_JEQ | BPF_K: next += Int(accumulator == instruction.k ? instruction.jt : instruction.jf)
            case BPF_JMP | BPF_JGE | BPF_K: next += Int(accumulator >= instruction.k ? instruction.jt : instruction.jf)
            case BPF_JMP | BPF_JGT | BPF_K: next += Int(accumulator > instruction.k ? instruction.jt : instruction.jf)
            case BPF_RET | BPF_K:
                switch instruction.k & 0xFFFF_0000 {
                case 0x7FFF_0000: return .allowed
                case 0x0005_0000: return .error(Int32(instruction.k & 0xFFFF))
                case 0x8000_0000: return .killed
                default: throw UnknownInstruction()
                }
            default: throw UnknownInstruction()
            }
        }
        throw UnknownInstruction()
    }

    private struct UnknownInstruction: Error {}

    private static func decide(
        _ allowance: bifrons_filter_allowance, _ call: String, _ arguments: UInt64...
    ) throws -> Outcome {
        try decide(allowance, try #require(calls[call]), arguments)
    }

    @Test func whatComputingNeedsIsAllowedAndTheRestIsRefused() throws {
        for allowance in [Self.ipc, Self.address, Self.name] {
            for call in ["read", "write", "mmap", "connect"] {
                #expect(try Self.decide(allowance, call) == .allowed, "\(call)")
            }
            for call in ["bind", "listen", "mkdirat", "unlinkat", "io_uring_setup", "memfd_create"] {
                #expect(try Self.decide(allowance, call) == .error(EPERM), "\(call)")
            }
        }
    }

    @Test func whatOnlyAnExploitDoesEndsTheProcess() throws {
        for call in ["execve", "ptrace", "bpf"] { #expect(try Self.decide(Self.name, call) == .killed, "\(call)") }
        for allowance in [Self.ipc, Self.name] {
            let read = try #require(Self.calls["read"])
            #expect(try Self.decide(allowance, read, architecture: Self.otherArchitecture) == .killed)
            #expect(try Self.decide(allowance, read | 0x4000_0000) == .killed)
        }
    }

    @Test func callsOfNewerKernelsDoNotExist() throws {
        // clone3, whose flags a filter cannot read, and the first unknown one.
        for call in [435, 451, 9999] { #expect(try Self.decide(Self.name, call) == .error(ENOSYS), "\(call)") }
    }

    @Test func cloneMakesThreadsOnly() throws {
        // The C library's flags for a thread, for fork, and for a thread with a network of its own.
        #expect(try Self.decide(Self.ipc, "clone", 0x3D_0F00) == .allowed)
        #expect(try Self.decide(Self.ipc, "clone", 0x120_0011) == .killed)
        #expect(try Self.decide(Self.ipc, "clone", 0x403D_0F00) == .killed)
    }

    @Test func socketsAreThoseOfTheRouters() throws {
        let (unix, ip4, ip6, netlink, packet) = (
            UInt64(AF_UNIX), UInt64(AF_INET), UInt64(AF_INET6), UInt64(16), UInt64(17)
        )
        let (stream, datagram, raw) = (UInt64(1), UInt64(2), UInt64(3))
        let (flags, tcp, udp, multipath) = (UInt64(0o2004000), UInt64(6), UInt64(17), UInt64(262))
        let refused = Outcome.error(EPERM)
        func socket(_ allowance: bifrons_filter_allowance, _ domain: UInt64, _ type: UInt64, _ kind: UInt64) throws
            -> Outcome
        {
            try Self.decide(allowance, "socket", domain, type, kind)
        }
        #expect(try socket(Self.ipc, unix, stream | flags, 0) == .allowed)
        #expect(try socket(Self.ipc, unix, datagram, 0) == refused)
        #expect(try socket(Self.ipc, ip4, stream, tcp) == refused)
        for family in [ip4, ip6] {
            for kind in [0, tcp] { #expect(try socket(Self.address, family, stream | flags, kind) == .allowed) }
            #expect(try socket(Self.address, family, stream, multipath) == refused)
            #expect(try socket(Self.address, family, datagram, udp) == refused)
            #expect(try socket(Self.name, family, datagram | flags, 0) == .allowed)
            #expect(try socket(Self.name, family, datagram, udp) == .allowed)
            #expect(try socket(Self.name, family, raw, 1) == refused)
        }
        #expect(try socket(Self.address, unix, stream, 0) == refused)
        for domain in [netlink, packet] { #expect(try socket(Self.name, domain, raw, 0) == refused) }
        // MSG_FASTOPEN, which connects without asking Landlock.
        #expect(try Self.decide(Self.address, "sendto", 3, 0, 0, 0) == .allowed)
        #expect(try Self.decide(Self.address, "sendto", 3, 0, 0, 0x2000_0000) == refused)
    }

    @Test func filesAreOpenedForReadingOnlyIfAtAll() throws {
        let (read, write, create, truncate) = (
            UInt64(O_RDONLY | O_CLOEXEC), UInt64(O_WRONLY), UInt64(O_CREAT), UInt64(O_TRUNC)
        )
        #expect(try Self.decide(Self.name, "openat", 0, 0, read) == .allowed)
        #expect(try Self.decide(Self.name, "getdents64") == .allowed)
        for flags in [write, UInt64(O_RDWR), create, truncate, 0o20000000] {
            #expect(try Self.decide(Self.name, "openat", 0, 0, flags) == .error(EPERM), "\(flags)")
        }
        for allowance in [Self.ipc, Self.address] {
            #expect(try Self.decide(allowance, "openat", 0, 0, read) == .error(EPERM))
            #expect(try Self.decide(allowance, "getdents64") == .error(EPERM))
        }
    }

    @Test func memoryIsMadeExecutableOnlyByWorkersThatMakeCode() throws {
        let (data, code) = (UInt64(PROT_READ | PROT_WRITE), UInt64(PROT_READ | PROT_WRITE | PROT_EXEC))
        for call in ["mmap", "mprotect"] {
            for allowance in [Self.ipc, Self.name] { #expect(try Self.decide(allowance, call, 0, 1, data) == .allowed) }
            #expect(try Self.decide(Self.name, call, 0, 1, code) == .allowed)
            #expect(try Self.decide(Self.ipc, call, 0, 1, code) == .error(EPERM))
        }
    }

    @Test func signalsStayInTheProcessAndLimitsStayAsTheyAre() throws {
        #expect(try Self.decide(Self.ipc, "kill", UInt64(Self.pid), 6) == .allowed)
        #expect(try Self.decide(Self.ipc, "kill", 1, 9) == .error(EPERM))
        #expect(try Self.decide(Self.ipc, "kill", UInt64(bitPattern: -1), 9) == .error(EPERM))
        #expect(try Self.decide(Self.ipc, "prlimit64", 0, 7, 0) == .allowed)
        for pointer in [1, 1 << 32] as [UInt64] {
            #expect(try Self.decide(Self.ipc, "prlimit64", 0, 7, pointer) == .error(EPERM))
        }
        #expect(try Self.decide(Self.ipc, "prctl", 15) == .allowed)
        #expect(try Self.decide(Self.ipc, "prctl", 22) == .error(EPERM))
        #expect(try Self.decide(Self.ipc, "fcntl", 3, UInt64(F_SETFL)) == .allowed)
        #expect(try Self.decide(Self.ipc, "fcntl", 3, UInt64(F_SETOWN)) == .error(EPERM))
    }
}
