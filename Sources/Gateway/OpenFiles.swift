internal import Glibc

/// How many descriptors this process may have, of which each connection takes one.
enum OpenFiles {
    /// Descriptors for everything that is no connection.
    static let spared = 64

    /// Asks the system for as many as it allows this process.
    /// - Returns: how many those are.
    static func raise() -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(clamping: limit.rlim_cur)
    }
}
