import Testing

@testable import Commands

/// The tables of `bifrons policy`.
@Suite struct PolicyCommandTests {
    @Test func theListNamesWhatDecidesForWhom() {
        let version = PolicyVersionReport(
            name: "default", version: 2, digest: "sha256:0123456789abcdef", policy: .object([:]))
        let report = PolicyReport(policies: [
            .init(name: "default", latest: 3, active: version, tenants: ["shop": 1, "forum": 3], versions: nil)
        ])
        #expect(
            PolicyCommand.lines(report) == [
                "POLICY   ACTIVE  LATEST  DIGEST               TENANTS WITH THEIR OWN",
                "default       2       3  sha256:0123456789ab  forum@3, shop@1",
            ])
    }

    @Test func aTrialIsAMatrixWithExamples() {
        let report = TrialReport(
            count: 7, matrix: ["allow": ["allow": 4, "block": 2], "block": ["block": 1]],
            examples: ["allow>block": ["1", "2", "3", "4", "5", "6"]], skipped: 1)
        #expect(
            PolicyCommand.lines(report) == [
                "7 decisions, 1 that cannot be computed again left out", "",
                "WAS     WOULD ALLOW  WOULD REVIEW  WOULD BLOCK",
                "allow             4             0            2",
                "review            0             0            0",
                "block             0             0            1", "",
                "allow>block: 1, 2, 3, 4, 5, ...",
            ])
    }
}
