package import BifronsZeroMQ
import Files
import Glibc

/// A folder of keys, as `bifrons keygen` makes it.
///
///     router.public    the router's public key, which every process needs
///     router.secret    the router's secret key; a router needs it and the allow-list
///     allowed          the allow-list
///     client.secret, worker.secret, gateway.secret, operator.secret
///
/// Any process other than a router needs two files: `router.public` and its own secret key. The public key is derived
/// from the secret key.
package struct KeyFolder: Sendable {
    package static let routerPublic = "router.public"
    package static let routerSecret = "router.secret"
    package static let allowed = "allowed"

    /// The largest size of a key file in bytes: the key and some white space.
    private static let maxKeyFileBytes = 64

    package let path: String

    package init(_ path: String) {
        self.path = path
    }

    // MARK: Reading

    /// Returns the router's side of CURVE.
    ///
    /// - Throws: ``KeyringError`` if the secret key is missing, malformed or readable by others.
    package func server() throws(KeyringError) -> Curve.Role {
        .server(secretKey: try secretKey(Self.routerSecret))
    }

    /// Reads the allow-list.
    ///
    /// - Throws: ``KeyringError`` if it is missing or malformed.
    package func allowList() throws(KeyringError) -> AllowList {
        let path = "\(path)/\(Self.allowed)"
        return try AllowList(parsing: Self.read(path, atMost: AllowList.maxBytes).bytes, source: path)
    }

    /// Returns the client side of CURVE, with the secret key of the first of the roles for which the folder has one.
    ///
    /// - Throws: ``KeyringError`` if a key is missing, malformed, or a secret key is readable by others.
    package func client(_ roles: AllowList.Role...) throws(KeyringError) -> Curve.Role {
        let name = Self.secret(of: roles.first(where: has) ?? roles[0])
        let serverPath = "\(path)/\(Self.routerPublic)"
        let serverKey = try Self.key(Self.read(serverPath, atMost: Self.maxKeyFileBytes).bytes, serverPath)
        let secretKey = try secretKey(name)
        do {
            return .client(
                serverKey: serverKey, publicKey: try Curve.publicKey(of: secretKey), secretKey: secretKey)
        } catch {
            throw KeyringError("\(path)/\(name) cannot be used: \(error)")
        }
    }

    /// Returns whether the folder has the secret key of a role.
    package func has(_ role: AllowList.Role) -> Bool {
        access("\(path)/\(Self.secret(of: role))", F_OK) == 0
    }

    private static func secret(of role: AllowList.Role) -> String { "\(role.rawValue).secret" }

    private func secretKey(_ name: String) throws(KeyringError) -> String {
        let path = "\(path)/\(name)"
        let (bytes, status) = try Self.read(path, atMost: Self.maxKeyFileBytes)
        // If root owns the file, its group may read it, because Kubernetes and systemd have no other way to pass
        // secrets to a service.
        let others: mode_t = status.st_uid == 0 ? 0o037 : 0o077
        guard status.st_mode & others == 0 else {
            throw KeyringError("\(path) can be read by other users; make it private (chmod 600) or make new keys")
        }
        return try Self.key(bytes, path)
    }

    private static func key(_ bytes: [UInt8], _ path: String) throws(KeyringError) -> String {
        let key = String(decoding: bytes.filter { $0 > 32 }, as: UTF8.self)
        guard Curve.isKey(key) else {
            throw KeyringError("\(path) does not hold a key of 40 Z85 characters; make one with 'bifrons keygen'")
        }
        return key
    }

    private static func read(_ path: String, atMost limit: Int) throws(KeyringError) -> (bytes: [UInt8], status: stat) {
        if let read = Files.contentsAndStatus(of: path, limit: limit) { return read }
        switch errno {
        case EISDIR, EINVAL: throw KeyringError("\(path) is not a file; see 'bifrons keygen --help'")
        case EFBIG: throw KeyringError("\(path) has more than the \(limit) bytes that it may have")
        default: throw KeyringError("cannot read \(path): \(Files.reason); see 'bifrons keygen --help'")
        }
    }

    // MARK: Making

    /// Makes the folder, a key pair for the router and one for each role, and the list that allows them.
    ///
    /// - Throws: ``KeyringError`` if a file of that name exists or cannot be written.
    package static func make(at path: String) throws(KeyringError) -> KeyFolder {
        guard mkdir(path, 0o700) == 0 else {
            let reason = errno == EEXIST ? "it exists; nothing is overwritten" : Files.reason
            throw KeyringError("cannot make the folder \(path): \(reason)")
        }
        let roles = AllowList.Role.allCases.map(\.rawValue).joined(separator: ", ")
        var list = "# Who may speak to the router: public key, role (\(roles)), name. SIGHUP reads it anew.\n"
        do {
            let router = try Curve.makeKeyPair()
            try write(router.publicKey + "\n", to: "\(path)/\(routerPublic)", mode: 0o644)
            try write(router.secretKey + "\n", to: "\(path)/\(routerSecret)", mode: 0o600)
            for role in AllowList.Role.allCases {
                let pair = try Curve.makeKeyPair()
                try write(pair.secretKey + "\n", to: "\(path)/\(secret(of: role))", mode: 0o600)
                list += "\(pair.publicKey) \(role.rawValue) \(role.rawValue)\n"
            }
        } catch let error as KeyringError {
            throw error
        } catch {
            throw KeyringError("\(error)")
        }
        try write(list, to: "\(path)/\(allowed)", mode: 0o644)
        return KeyFolder(path)
    }

    private static func write(_ text: String, to path: String, mode: mode_t) throws(KeyringError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else {
            throw KeyringError("cannot make \(path): \(Files.reason)")
        }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw KeyringError("cannot write \(path): \(Files.reason)")
        }
    }
}
