import Testing

@testable import ProcessSupport

@Suite struct ProcessorsTests {
    @Test func thereIsAtLeastOneUsableProcessor() {
        #expect(Processors.usable >= 1)
    }

    @Test func theControlGroupIsReadFromVersion2() {
        #expect(Processors.controlGroup("12:cpu:/old\n0::/user.slice/a b\n") == "/user.slice/a b")
        #expect(Processors.controlGroup("0::/\n") == "/")
        #expect(Processors.controlGroup("12:cpu:/old\n") == nil)
        #expect(Processors.controlGroup("") == nil)
    }

    @Test func theSmallestLimitOfAGroupAndItsAncestorsApplies() {
        func limit(_ group: String, _ files: [String: String]) -> Int? {
            Processors.limit(of: group) { files[$0] }
        }
        #expect(limit("/a/b", ["/a/b": "400000 100000\n", "/a": "200000 100000\n", "": "max 100000\n"]) == 2)
        #expect(limit("/a/b", ["/a/b": "max 100000\n", "/a": "max 100000\n"]) == nil)
        #expect(limit("/", ["": "250000 100000\n"]) == 2)
        #expect(limit("/", [:]) == nil)
    }

    @Test(arguments: ["50000 100000\n", "150000 100000"])
    func fractionsOfACoreAreRoundedDownToAtLeastOne(text: String) {
        #expect(Processors.limit(of: "/") { _ in text } == 1)
    }

    @Test(arguments: ["", "100000", "a b", "100000 0", "1 2 3"])
    func invalidLimitsAreIgnored(text: String) {
        #expect(Processors.limit(of: "/") { _ in text } == nil)
    }
}
