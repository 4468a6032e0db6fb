internal import Glibc

/// The number of descriptors that this process may have. Each connection takes one.
package enum OpenFiles {
    /// Raises the limit to the most that the system allows this process.
    ///
    /// - Returns: the limit from now on.
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
