package import BifronsWire

extension ResultDocument.Verdict {
    /// The verdict without the version of its policy.
    package var unversioned: Self {
        var verdict = self
        (verdict.policyVersion, verdict.policyDigest) = (nil, nil)
        return verdict
    }
}
