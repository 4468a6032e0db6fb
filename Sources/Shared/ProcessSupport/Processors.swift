internal import CLinux
internal import Glibc

/// What this process may compute with.
package enum Processors {
    /// How many cores the process may use, at least 1: those of its affinity mask, and no more whole ones than the limits of
    /// its control groups, a container's for instance, give it the time of.
    package static let usable: Int = {
        let groups = File.contents("/proc/self/cgroup").flatMap(controlGroup) ?? "/"
        let allowed = max(1, Int(bifrons_allowed_processors()))
        return min(allowed, limit(of: groups) { File.contents("/sys/fs/cgroup\($0)/cpu.max") } ?? .max)
    }()

    /// The path of the process's group in the one hierarchy of version 2: `0::/a/b` in /proc/self/cgroup.
    static func controlGroup(_ text: String) -> String? {
        let line = text.split(separator: "\n").first { $0.hasPrefix("0::/") }
        return line.map { String($0.dropFirst(3)) }
    }

    /// The smallest limit of a group and all above it, in whole cores and at least 1; nil when there is none.
    ///
    /// - Parameter read: the content of a group's cpu.max, "MICROSECONDS PERIOD" or "max PERIOD"; nil when it has none.
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
        /// Of a small file; nil when it cannot be read.
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
