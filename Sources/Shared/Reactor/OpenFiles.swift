internal import Glibc

/// How many descriptors this process may have, of which each connection takes one.
package enum OpenFiles {
    /// Asks the system for as many as it allows this process.
    /// - Returns: how many it may have from now on.
    package static func raiseLimit() -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        getrlimit(resource, &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(resource, &limit)
        getrlimit(resource, &limit)
        return Int(clamping: limit.rlim_cur)
    }
}
