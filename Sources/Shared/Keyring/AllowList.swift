internal import BifronsZeroMQ

/// Who may speak to a router: public keys, each with a role and a name.
///
/// A text of lines `KEY ROLE NAME`: 40 characters of Z85, `client`, `worker`, `gateway` or `operator`, and a name of its own.
/// Empty lines, and those that begin with `#`, are passed over. (`#` is Z85's largest digit: four bytes never begin with it.)
package struct AllowList: Equatable, Sendable {
    /// What the owner of a key may do.
    package enum Role: String, CaseIterable, Sendable {
        /// Submit jobs, and cancel its own.
        case client
        /// Score.
        case worker
        /// What a client may, and say for whom, and look at the status.
        case gateway
        /// What a client may, and look at the status, and cancel everybody's jobs.
        case `operator`
    }

    /// Whom a key stands for.
    package struct Entry: Equatable, Sendable {
        package let role: Role
        package let name: String
    }

    /// Bytes of the longest list.
    package static let maxBytes = 1 << 20
    /// Bytes of a name.
    package static let nameBytes = 64

    private let entries: [String: Entry]

    /// Whose key this is; `nil` if it is not in the list.
    package subscript(publicKey: String) -> Entry? { entries[publicKey] }

    /// Reads a list. Any bytes give a list or an error that names the line.
    /// - Parameter source: what the error calls the text, a path for instance.
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
