internal import BifronsZeroMQ

/// The principals that may connect to a router: public keys, each with a role and a name.
///
/// The text has lines `KEY ROLE NAME`: 40 characters of Z85; `client`, `worker`, `gateway` or `operator`; and a unique
/// name. Empty lines and lines that begin with `#` are ignored. (No key begins with `#`: it is Z85's largest digit, and
/// four bytes never encode to a group that begins with it.)
package struct AllowList: Equatable, Sendable {
    /// What the owner of a key may do.
    package enum Role: String, CaseIterable, Sendable {
        /// May submit jobs and cancel its own.
        case client
        /// May register as a worker and take jobs.
        case worker
        /// May do what a client may, name the principal of a request, and read the status.
        case gateway
        /// May do what a client may, read the status, and cancel anybody's jobs.
        case `operator`
    }

    /// The principal of a key.
    package struct Entry: Equatable, Sendable {
        package let role: Role
        package let name: String
    }

    /// The largest size of a list in bytes.
    package static let maxBytes = 1 << 20
    /// The largest length of a name in bytes.
    package static let nameBytes = 64

    private let entries: [String: Entry]

    /// Returns the principal of a key; nil if the key is not in the list.
    package subscript(publicKey: String) -> Entry? { entries[publicKey] }

    /// Returns the roles of the keys that this list has and the other one has not, in the order of their names. A key
    /// whose role or name has changed counts as removed.
    package func roles(notIn other: AllowList) -> [Role] {
        entries.filter { other.entries[$0.key] != $0.value }.values.sorted { $0.name < $1.name }.map(\.role)
    }

    /// Parses a list. Any bytes give a list or an error.
    ///
    /// - Parameters:
    ///   - bytes: The text.
    ///   - source: The name of the text in errors, such as a path.
    /// - Throws: ``KeyringError`` that names the line.
    package init(parsing bytes: [UInt8], source: String) throws(KeyringError) {
        guard bytes.count <= Self.maxBytes else {
            throw KeyringError("\(source) has more than \(Self.maxBytes) bytes; shorten the list")
        }
        var entries: [String: Entry] = [:]
        var names: Set<String> = []
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            func wrong(_ what: String) -> KeyringError {
                KeyringError("line \(index + 1) of \(source) \(what); write KEY ROLE NAME")
            }
            guard let text = String(validating: line, as: UTF8.self) else { throw wrong("is not UTF-8") }
            let words = text.split { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\r\n" }
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            guard words.count == 3 else { throw wrong("has \(words.count) words") }
            let key = String(first)
            guard Curve.isKey(key) else { throw wrong("has no key of 40 Z85 characters in front") }
            guard let role = Role(rawValue: String(words[1])) else {
                throw wrong("has a role that is none of \(Role.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            let name = String(words[2])
            guard name.utf8.count <= Self.nameBytes, name.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
                throw wrong("has a name that is longer than \(Self.nameBytes) bytes or not of ASCII letters")
            }
            guard entries[key] == nil else { throw wrong("has the key of another line") }
            guard names.insert(name).inserted else { throw wrong("has the name of another line") }
            entries[key] = Entry(role: role, name: name)
        }
        self.entries = entries
    }
}
