internal import Glibc

/// The system's limit of descriptors for this process.
enum DescriptorLimit {
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    /// Raises the limit as far as the system allows, which must be `count` at least.
    ///
    /// At the limit libzmq would end the process over an ipc connection, and try without a pause to accept one of TCP.
    static func raise(toHold count: Int, for reason: String) throws(RouterServiceError) {
        var limit = rlimit()
        getrlimit(resource, &limit)
        guard limit.rlim_max >= count else {
            throw RouterServiceError(
                "\(reason) needs \(count) descriptors and the system allows \(limit.rlim_max); lower the one or raise "
                    + "the other (ulimit -Hn, LimitNOFILE= of systemd)")
        }
        limit.rlim_cur = limit.rlim_max
        guard setrlimit(resource, &limit) == 0 else {
            throw RouterServiceError(
                "cannot raise the limit of descriptors to \(limit.rlim_max): \(String(cString: strerror(errno)))")
        }
    }
}
