import Foundation
import Glibc

/// A running program of the product. It is ended when this object is released.
final class ChildProcess {
    private let process = Process()

    init(_ path: String, _ arguments: [String], quiet: Bool = true) throws {
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        if quiet {
            process.standardError = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
        }
        try process.run()
    }

    deinit {
        stop()
    }

    var isRunning: Bool { process.isRunning }

    /// Sends SIGTERM, and SIGKILL if the process has not ended after five seconds.
    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        let deadline = Date().addingTimeInterval(5)
        while process.isRunning, Date() < deadline { usleep(5000) }
        if process.isRunning { signal(SIGKILL) }
        process.waitUntilExit()
    }

    func signal(_ number: Int32) {
        kill(process.processIdentifier, number)
    }

    /// The processor time that the process has used, over all its threads, in seconds.
    var cpuSeconds: Double {
        guard let stat = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8),
            let name = stat.lastIndex(of: ")")
        else { return .nan }
        // The fields behind the name count from 3, the state. Fields 14 and 15 are user and system time in ticks.
        let fields = stat[stat.index(name, offsetBy: 2)...].split(separator: " ")
        let ticks = (Double(fields[11]) ?? .nan) + (Double(fields[12]) ?? .nan)
        return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// The memory that is resident now, in bytes.
    var residentBytes: Int { memory("VmRSS:") }

    /// The largest resident memory so far, in bytes.
    var peakResidentBytes: Int { memory("VmHWM:") }

    private func memory(_ field: String) -> Int {
        guard let status = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix(field) }),
            let kilobytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
        else { return 0 }
        return kilobytes * 1024
    }
}

/// A folder for ipc endpoints. It is removed when this object is released.
final class ScratchFolder {
    let path: String

    init() {
        path = NSTemporaryDirectory() + "bifrons-\(UInt32.random(in: 0 ... .max))"
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func endpoint(_ name: String) -> String {
        "ipc://\(path)/\(name)"
    }
}

/// Returns a loopback port that was free a moment ago.
func freePort() -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            _ = bind(descriptor, address, length)
            _ = getsockname(descriptor, address, &length)
        }
    }
    return UInt16(bigEndian: address.sin_port)
}

/// Returns two loopback endpoints on free ports.
func freeTCPEndpoints() -> (String, String) {
    ("tcp://127.0.0.1:\(freePort())", "tcp://127.0.0.1:\(freePort())")
}
