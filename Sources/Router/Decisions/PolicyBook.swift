package import BifronsWire

/// The versions of all policies, and which of them decides for whom.
///
/// A version never changes and is never removed, so that each decision can name the one that it was made by. What
/// changes is the activation: for one tenant, or for all that have none of their own. Going back to an earlier version
/// is an activation like any other.
package struct PolicyBook: Sendable {
    /// An activation of a version of a policy.
    package struct Activation: Codable, Equatable, Sendable {
        package var policy: String
        package var version: Int
        /// The tenant whose images the version decides on; nil for all tenants without an activation of their own.
        package var tenant: String?

        package init(policy: String, version: Int, tenant: String?) {
            self.policy = policy
            self.version = version
            self.tenant = tenant
        }
    }

    /// The most versions of one policy, and the most policies.
    package static let mostVersions = 10_000, mostPolicies = 1000

    private struct Scope: Hashable {
        var policy: String
        var tenant: String?
    }

    /// The kinds of evidence that the ensemble names, which clauses may read.
    private let evidence: [EvidenceKind]
    private var versions: [String: [PolicyVersion]]
    private var active: [Scope: PolicyVersion] = [:]

    /// Creates a book with the ensemble's policies, each active for everybody.
    package init(_ ensemble: Ensemble) {
        evidence = ensemble.evidence
        versions = ensemble.policies.mapValues { [$0] }
        for version in ensemble.policies.values { active[Scope(policy: version.name)] = version }
    }

    /// The names of the policies, sorted.
    package var names: [String] { versions.keys.sorted() }

    /// Returns the versions of a policy, the first one first; nil if there is no such policy.
    package func versions(of name: String) -> [PolicyVersion]? { versions[name] }

    package subscript(reference: PolicyReference) -> PolicyVersion? {
        guard let all = versions[reference.name], all.indices.contains(reference.version - 1) else { return nil }
        return all[reference.version - 1]
    }

    /// Returns the version that decides on a tenant's images; nil if there is no such policy.
    package func active(_ name: String, for tenant: String?) -> PolicyVersion? {
        let own = tenant.flatMap { active[Scope(policy: name, tenant: $0)] }
        return own ?? active[Scope(policy: name)]
    }

    /// Returns the activations of a policy, that for everybody first.
    package func activations(of name: String) -> [Activation] {
        active.filter { $0.key.policy == name }
            .map { Activation(policy: name, version: $0.value.version, tenant: $0.key.tenant) }
            .sorted { ($0.tenant ?? "") < ($1.tenant ?? "") }
    }

    /// A shadow policy of an active version that does not exist, with the version that names it; nil if there is none.
    package var missingShadow: (shadow: PolicyReference, of: PolicyReference)? {
        for version in active.values {
            if let shadow = version.policy.shadow.first(where: { self[$0] == nil }) {
                return (shadow, version.reference)
            }
        }
        return nil
    }

    // MARK: Changes

    /// Returns the next version of a policy, without adding it.
    ///
    /// - Parameter digest: what the digest of the latest version must be; nil if it does not matter.
    /// - Throws: an error for the client: the policy is not valid, or another version came first.
    package func next(_ name: String, _ policy: Policy, after digest: String?) throws(WireError) -> PolicyVersion {
        guard Self.isName(name) else {
            throw WireError(
                .unprocessable, code: "policy_invalid",
                "a policy's name has 1 to \(Limits.nameBytes) letters, digits, '.', '-' and '_'")
        }
        let known = versions[name] ?? []
        guard known.count < Self.mostVersions, !known.isEmpty || versions.count < Self.mostPolicies else {
            throw WireError(
                .unprocessable, code: "policy_invalid",
                "there are \(versions.count) policies and \(known.count) versions of '\(name)'; no more are kept")
        }
        let next: PolicyVersion
        do throws(Ensemble.Invalid) {
            next = try PolicyVersion(name, known.count + 1, policy, evidence: evidence)
        } catch {
            throw WireError(.unprocessable, code: "policy_invalid", error.message)
        }
        try checkShadows(of: next)
        if let digest, known.last?.digest != digest {
            throw WireError(
                .preconditionFailed, code: "policy_changed",
                "the latest version of '\(name)' is \(known.last.map { "\($0.version) with \($0.digest)" } ?? "none"), "
                    + "not \(digest); read it and try again")
        }
        return next
    }

    /// Adds a version from ``next(_:_:after:)``.
    package mutating func add(_ version: PolicyVersion) {
        assert(version.version == (versions[version.name]?.count ?? 0) + 1)
        versions[version.name, default: []].append(version)
        // A policy that was never active decides for everybody who asks for it.
        let scope = Scope(policy: version.name)
        if active[scope] == nil { active[scope] = version }
    }

    /// Makes a version decide. It must exist.
    package mutating func activate(_ activation: Activation) {
        let reference = PolicyReference(name: activation.policy, version: activation.version)
        active[Scope(policy: activation.policy, tenant: activation.tenant)] = self[reference]
    }

    /// Checks an activation.
    ///
    /// - Parameter digest: what the digest of the version active before must be; nil if it does not matter.
    package func check(_ activation: Activation, after digest: String?) throws(WireError) {
        guard let known = versions[activation.policy] else { throw unknown(activation.policy) }
        guard known.indices.contains(activation.version - 1) else {
            throw WireError(
                .notFound, code: "unknown_policy",
                "there is no version \(activation.version) of '\(activation.policy)'; the latest is \(known.count)")
        }
        if let tenant = activation.tenant, !(1...Limits.identifierBytes).contains(tenant.utf8.count) {
            throw WireError(
                .unprocessable, code: "policy_invalid",
                "the field 'tenant' must have 1 to \(Limits.identifierBytes) bytes")
        }
        let before = active[Scope(policy: activation.policy, tenant: activation.tenant)]
        if let digest, before?.digest != digest {
            throw WireError(
                .preconditionFailed, code: "policy_changed",
                "the active version of '\(activation.policy)' is \(before.map { "\($0.version)" } ?? "none"), "
                    + "not the one with \(digest); read it and try again")
        }
    }

    /// Returns the error for the name of a policy that does not exist.
    package func unknown(_ name: String) -> WireError {
        WireError(
            .notFound, code: "unknown_policy",
            "there is no policy '\(name.prefix(64))'; there are \(names.joined(separator: ", "))")
    }

    /// Checks that a version's shadows exist and are not of the policy itself. Since versions never change and a
    /// shadow's own shadows are not applied, there are no cycles.
    private func checkShadows(of version: PolicyVersion) throws(WireError) {
        for shadow in version.policy.shadow {
            guard self[shadow] != nil else {
                throw WireError(
                    .unprocessable, code: "policy_invalid", "policy.shadow names '\(shadow)', which does not exist")
            }
        }
    }

    private static func isName(_ name: String) -> Bool {
        (1...Limits.nameBytes).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}

// MARK: Restarts

extension PolicyBook {
    /// A version or an activation in the order in which they were stored.
    package enum Entry: Equatable, Sendable {
        case version(name: String, Policy)
        case activation(Activation)
    }

    /// A stored entry, and whether it came out of the ensemble file.
    package struct Stored: Equatable, Sendable {
        package var entry: Entry
        package var isOfFile: Bool

        package init(entry: Entry, isOfFile: Bool) {
            self.entry = entry
            self.isOfFile = isOfFile
        }
    }

    /// Returns the book that the stored entries lead to, and what the ensemble file adds to it.
    ///
    /// A policy of the file that differs from the last one of its name that the file gave is its next version, and
    /// decides where the last one did. So editing the file works as without a ledger, unless somebody has activated
    /// another version meanwhile.
    ///
    /// - Parameter entries: the stored entries, oldest first.
    package init(_ ensemble: Ensemble, restoring entries: [Stored]) throws(Ensemble.Invalid) {
        self.init(ensemble)
        versions = [:]
        active = [:]
        for stored in entries {
            switch stored.entry {
            case .version(let name, let policy):
                let number = (versions[name]?.count ?? 0) + 1
                // An old version may read evidence that the ensemble no longer names; it will be missing.
                add(
                    try PolicyVersion(name, number, policy, evidence: EvidenceKind.allCases, place: "\(name)@\(number)")
                )
            case .activation(let activation): activate(activation)
            }
        }
    }

    /// Returns the entries to store so that the ensemble file's policies take part, in order.
    package func additions(
        from ensemble: Ensemble, after entries: [Stored]
    ) -> [Entry] {
        var additions: [Entry] = []
        for (name, version) in ensemble.policies.sorted(by: { $0.key < $1.key }) {
            let ofFile = entries.compactMap { stored -> Policy? in
                guard stored.isOfFile, case .version(name, let policy) = stored.entry else { return nil }
                return policy
            }
            guard ofFile.last != version.policy else { continue }
            additions.append(.version(name: name, version.policy))
            let last = entries.last { stored in
                guard case .activation(let activation) = stored.entry else { return false }
                return activation.policy == name && activation.tenant == nil
            }
            guard let known = versions[name], last?.isOfFile ?? true else { continue }
            additions.append(
                .activation(Activation(policy: name, version: known.count + 1, tenant: nil)))
        }
        return additions
    }
}

// MARK: Deciding

extension PolicyBook {
    /// Returns a stored result as the answer to another request with its idempotency key: with that request's id and
    /// metadata, and decided by its policy.
    ///
    /// - Parameter tenant: the tenant of the request.
    /// - Returns: nil if the policy does not exist.
    package func answer(
        _ stored: ResultDocument, to header: RequestHeader, for tenant: String?
    ) -> ResultDocument? {
        var document = stored
        document.id = header.id
        document.metadata = header.metadata
        guard let known = stored.verdict, known.policy != header.policy else { return document }
        guard let policy = active(header.policy, for: tenant) else { return nil }
        let decided = known.policyVersion.flatMap { self[PolicyReference(name: known.policy, version: $0)] }
        let calibration = decided?.policy.calibration
        let merged = known.aiProbability.map { calibration?.inverse($0) ?? $0 }
        var verdict = policy.verdict(
            merged, isDegraded: stored.degraded, evidence: stored.evidence.map(EvidenceFacts.init))
        // The stored probability may have been rounded to one half, so the stored label is kept.
        if calibration == policy.policy.calibration { verdict.label = known.label }
        document.verdict = verdict
        // The ledger has the decision of the policy that decided first, and not this one.
        if document.decision != nil { (document.decision, document.isRecorded) = (nil, false) }
        return document
    }
}

extension JobOwner {
    /// The tenant that the owner counts as: the owner on whose behalf a gateway asked, or else the key's name.
    package var tenant: String? { owner ?? key }
}
