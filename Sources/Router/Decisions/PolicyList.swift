/// The members of the reply to the verb `policies`.
package struct PolicyList: Encodable {
    /// A version of a policy.
    package struct Version: Encodable {
        package var name: String
        package var version: Int
        package var digest: String
        package var policy: Policy

        package init(_ version: PolicyVersion) {
            name = version.name
            self.version = version.version
            digest = version.digest
            policy = version.policy
        }
    }

    /// A policy: the version that decides for everybody, and the tenants with another one.
    package struct Entry: Encodable {
        package var name: String
        package var latest: Int
        package var active: Version?
        package var tenants: [String: Int]
        /// All versions, the first one first; nil in a list of all policies.
        package var versions: [Version]?
    }

    package var policies: [Entry]

    /// - Parameters:
    ///   - tenant: the only tenant whose activations are listed; nil for all.
    ///   - isWhole: whether all versions are listed.
    package init(_ book: PolicyBook, names: [String], tenant: String?, isWhole: Bool) {
        policies = names.compactMap { name in
            guard let versions = book.versions(of: name) else { return nil }
            let own = book.activations(of: name).compactMap { activation in
                activation.tenant.map { ($0, activation.version) }
            }
            return Entry(
                name: name, latest: versions.count, active: book.active(name, for: nil).map(Version.init),
                tenants: Dictionary(uniqueKeysWithValues: own.filter { tenant == nil || $0.0 == tenant }),
                versions: isWhole ? versions.map(Version.init) : nil)
        }
    }
}
