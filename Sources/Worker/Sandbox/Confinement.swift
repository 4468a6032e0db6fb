internal import CSandbox
internal import Glibc

/// What restricts this process after it has entered its sandbox.
package struct Confinement: Equatable, Sendable {
    /// The version of Landlock that restricts it; nil if none does.
    package let landlock: Int?
    /// Whether a filter of system calls (seccomp) restricts it.
    package let hasFilter: Bool
    /// What is missing and why, as clauses for people; empty if the sandbox is complete.
    package let gaps: [String]

    /// The version of the kernel's Landlock; nil if it has none that this process may use.
    package static var landlockVersion: Int? {
        let version = bifrons_landlock_version()
        return version > 0 ? Int(version) : nil
    }

    /// Gives up everything but the allowance, for the whole process and for good.
    ///
    /// Call it before threads start that block all signals, as libzmq's do: Landlock reaches other threads by a signal.
    /// Only one thread at a time may call it.
    ///
    /// - Parameter allowance: What the process may still reach.
    /// - Returns: What holds now. What the kernel lacks is left out.
    package static func enter(_ allowance: Allowance) -> Confinement {
        // Landlock comes first, because the filter forbids the calls that it takes.
        let version = bifrons_landlock_version()
        let landlock = version > 0 ? restrict(Ruleset(version: Int(version), allowance)) : -version
        let filter = bifrons_filter_enter(
            bifrons_filter_allowance(
                unix_sockets: allowance.unixSockets, tcp: !allowance.ports.isEmpty, udp: allowance.names,
                reading: !allowance.folders.isEmpty, code: allowance.code))
        return Confinement(
            version: Int(version), landlock: landlock, filter: filter, needsPorts: !allowance.ports.isEmpty)
    }

    /// Creates the description of what holds.
    ///
    /// - Parameters:
    ///   - version: The version of the kernel's Landlock, or a negative number if it has none.
    ///   - landlock: 0, or the number of the error that kept Landlock from restricting the process.
    ///   - filter: 0, or the number of the error that kept the filter from doing so.
    ///   - needsPorts: Whether connections to TCP ports have to be restricted.
    init(version: Int, landlock: Int32, filter: Int32, needsPorts: Bool) {
        self.landlock = landlock == 0 ? version : nil
        hasFilter = filter == 0
        var gaps: [String] = []
        switch landlock {
        case 0:
            if needsPorts, version < Ruleset.firstWithPorts {
                gaps.append(
                    "this kernel's Landlock is version \(version) and cannot restrict TCP ports (Linux 6.7 or newer can)"
                )
            }
        case ENOSYS: gaps.append("this kernel has no Landlock (Linux 5.13 or newer, built with it)")
        case EOPNOTSUPP: gaps.append("this kernel's Landlock was not enabled at boot (lsm= on its command line)")
        case ETIMEDOUT: gaps.append("a thread of a library blocks the signal by which Landlock reaches it")
        default: gaps.append("Landlock cannot be used (\(String(cString: strerror(landlock))))")
        }
        switch filter {
        case 0: break
        case ENOSYS, EINVAL: gaps.append("this kernel has no filter of system calls (seccomp, Linux 4.17 or newer)")
        default: gaps.append("no filter of system calls can be set (\(String(cString: strerror(filter))))")
        }
        self.gaps = gaps
    }

    /// Restricts the process by Landlock. Returns 0 or an error number.
    private static func restrict(_ rules: Ruleset) -> Int32 {
        let ruleset = bifrons_landlock_create(rules.files, rules.ports, rules.scoped)
        guard ruleset >= 0 else { return -ruleset }
        defer { close(ruleset) }
        for folder in rules.folders {
            let error = bifrons_landlock_allow_path(ruleset, folder, Ruleset.reading)
            guard error == 0 || error == ENOENT else { return error }
        }
        for port in rules.openPorts {
            let error = bifrons_landlock_allow_port(ruleset, port, UInt64(bifrons_landlock_connect_tcp))
            guard error == 0 else { return error }
        }
        return bifrons_landlock_restrict(ruleset)
    }
}

extension Allowance {
    /// Creates the allowance of a worker on this machine.
    ///
    /// - Parameters:
    ///   - routers: The endpoints of its routers, as its settings have them.
    ///   - code: Whether it makes code while it serves.
    ///   - folders: The folders whose files it reads again while it serves.
    package init(routers: [String], code: Bool, folders: [String] = []) {
        let path = "/etc/resolv.conf"
        let resolved = realpath(path, nil)
        defer { free(resolved) }
        self.init(
            routers: routers, code: code, folders: folders,
            resolverFile: resolved.map { String(cString: $0) } ?? path)
    }
}
