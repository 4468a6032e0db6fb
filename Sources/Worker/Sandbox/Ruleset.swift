internal import CSandbox

/// The rules of Landlock for an allowance: what is forbidden, and the exceptions.
struct Ruleset: Equatable {
    /// The first version that can restrict TCP ports.
    static let firstWithPorts = 4
    /// The rights to a folder that may be read.
    static let reading = UInt64(bifrons_landlock_read_file | bifrons_landlock_read_folder)

    /// The forbidden rights to files.
    let files: UInt64
    /// The forbidden rights to TCP ports.
    let ports: UInt64
    /// What is only allowed within the process.
    let scoped: UInt64
    /// The folders that may be read.
    let folders: [String]
    /// The ports that may be connected to.
    let openPorts: [UInt16]

    /// Creates the rules: everything that this version of Landlock can forbid, except for what is allowed.
    ///
    /// - Parameters:
    ///   - version: The version of the kernel's Landlock, from 1.
    ///   - allowance: What the worker may still reach.
    init(version: Int, _ allowance: Allowance) {
        /// Returns the flags that this version knows, each given with the first version that does.
        func bits(_ flags: [(first: Int, flag: Int)]) -> UInt64 {
            flags.reduce(0) { version >= $1.first ? $0 | UInt64($1.flag) : $0 }
        }
        files = bits([
            (1, bifrons_landlock_first_rights), (2, bifrons_landlock_refer), (3, bifrons_landlock_truncate),
            (5, bifrons_landlock_device_control),
        ])
        ports = bits([
            (Self.firstWithPorts, bifrons_landlock_bind_tcp), (Self.firstWithPorts, bifrons_landlock_connect_tcp),
        ])
        scoped = bits([(6, bifrons_landlock_abstract_sockets), (6, bifrons_landlock_signals)])
        folders = allowance.folders
        openPorts = ports == 0 ? [] : allowance.ports.sorted()
    }
}
