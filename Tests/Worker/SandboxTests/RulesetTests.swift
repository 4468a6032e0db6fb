import Testing

@testable import Sandbox

struct RulesetTests {
    private static let named = Allowance(routers: ["dns://routers:5556"], code: false, resolverFile: "/etc/resolv.conf")

    /// The numbers are those of linux/landlock.h.
    @Test(
        arguments: [
            (1, 0x1FFF, 0, 0), (2, 0x3FFF, 0, 0), (3, 0x7FFF, 0, 0), (4, 0x7FFF, 3, 0), (5, 0xFFFF, 3, 0),
            (6, 0xFFFF, 3, 3), (7, 0xFFFF, 3, 3), (20, 0xFFFF, 3, 3),
        ] as [(Int, UInt64, UInt64, UInt64)])
    func everyVersionForbidsAllThatItCan(version: Int, files: UInt64, ports: UInt64, scoped: UInt64) {
        let rules = Ruleset(version: version, Self.named)
        #expect(rules.files == files && rules.ports == ports && rules.scoped == scoped)
    }

    @Test func exceptionsAreThoseOfTheAllowance() {
        let rules = Ruleset(version: 7, Self.named)
        #expect(rules.openPorts == [53, 5556])
        #expect(rules.folders == ["/etc"])
        #expect(Ruleset.reading == 0xC)
        let strict = Ruleset(version: 7, Allowance(routers: ["ipc://a"], code: false, resolverFile: "/etc/resolv.conf"))
        #expect(strict.openPorts.isEmpty && strict.folders.isEmpty)
    }

    @Test func versionWithoutPortsGetsNoRulesForThem() {
        #expect(Ruleset(version: 3, Self.named).openPorts.isEmpty)
    }
}
