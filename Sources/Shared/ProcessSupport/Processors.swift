internal import CLinux
internal import Glibc

/// The processor cores that this process may use.
package enum Processors {
    /// The number of cores that the process may use, at least 1: the cores in its affinity mask, but no more than the
    /// whole cores' worth of time that the limits of its control groups allow, for instance those of a container.
    package static let usable: Int = {
        let groups = File.contents("/proc/self/cgroup").flatMap(controlGroup) ?? "/"
        let allowed = max(1, Int(bifrons_allowed_processors()))
        return min(allowed, limit(of: groups) { File.contents("/sys/fs/cgroup\($0)/cpu.max") } ?? .max)
    }()

    /// Returns the path of the process's control group (version 2): `/a/b` for the line `0::/a/b` of /proc/self/cgroup.
    /// It is nil if there is no such line.
    static func controlGroup(_ text: String) -> String? {
        let line = text.split(separator: "\n").first { $0.hasPrefix("0::/") }
        return line.map { String($0.dropFirst(3)) }
    }

    /// Returns the lowest limit of a group and its ancestors, in whole cores and at least 1, or nil if there is no
    /// limit.
    ///
    /// - Parameter read: Returns the content of a group's cpu.max, "MICROSECONDS PERIOD" or "max PERIOD"; nil if the
    ///   group has none.
    static func limit(of group: String, read: (String) -> String?) -> Int? {
        var smallest: Int?
        var path = group == "/" ? "" : group[...]
        while true {
            if let cores = read(String(path)).flatMap(cores) { smallest = min(smallest ?? cores, cores) }
            guard let slash = path.lastIndex(of: "/") else { return smallest }
            path = path[..<slash]
        }
    }

    private static func cores(_ text: String) -> Int? {
        let numbers = text.split(whereSeparator: \.isWhitespace).map { Int($0) }
        guard numbers.count == 2, let time = numbers[0], let period = numbers[1], period > 0 else { return nil }
        return max(1, time / period)
    }

    private enum File {
        /// Returns the content of a file, at most 64 KiB of it, or nil if it cannot be read.
        static func contents(_ path: String) -> String? {
            let file = open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { return nil }
            defer { close(file) }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = read(file, &buffer, buffer.count)
            return count < 0 ? nil : String(decoding: buffer.prefix(count), as: UTF8.self)
        }
    }
}
