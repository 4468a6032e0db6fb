import Hashing
import Testing

@testable import Gateway

@Suite struct TokenListTests {
    private func list(_ text: String) throws -> TokenList {
        try TokenList(parsing: Array(text.utf8), source: "list")
    }

    private static func hash(_ token: String) -> String { SHA256.hexDigest(of: Array(token.utf8)) }

    @Test func aListedTokenGivesItsOwner() throws {
        let list = try list(
            "# who\n\nmoderation \(Self.hash("secret one"))\n  grafana\t\(Self.hash("two").uppercased())\r\n")
        #expect(list.bearer(of: "Bearer secret one")?.name == "moderation")
        #expect(list.bearer(of: "bearer two")?.name == "grafana")
    }

    @Test func theThirdWordMakesAnOperator() throws {
        let list = try list("root \(Self.hash("one")) operator\nshop \(Self.hash("two"))")
        #expect(list.bearer(of: "Bearer one") == .init(name: "root", isOperator: true))
        #expect(list.bearer(of: "Bearer two") == .init(name: "shop", isOperator: false))
    }

    @Test func tokensThatAreGoneOrChangedAreCounted() throws {
        let old = try list("a \(Self.hash("one"))\nb \(Self.hash("two"))\nc \(Self.hash("three"))")
        let new = try list("a \(Self.hash("one"))\nb \(Self.hash("other"))\nd \(Self.hash("four"))")
        #expect(old.count(notIn: new) == 2)
        #expect(old.count(notIn: old) == 0)
    }

    @Test(arguments: [nil, "", "Bearer", "Bearer ", "Bearer three", "Basic one", "one", "Bearer one ", "Bearer  one"])
    func anyOtherAuthorizationGivesNoOwner(_ authorization: String?) throws {
        #expect(try list("a \(Self.hash("one"))").bearer(of: authorization) == nil)
    }

    @Test(arguments: [
        ("a", "1 words"), ("a b c d", "4 words"), ("a \(hash("x")) root", "only 'operator' may stand"),
        ("a 00ff", "64 hexadecimal"),
        ("\(String(repeating: "n", count: 129)) \(hash("x"))", "a name of more than 128 bytes"),
        ("a \(hash("x").dropLast())g", "64 hexadecimal"), ("a \(hash("x"))\na \(hash("y"))", "line 2"),
    ])
    func invalidLinesAreReportedWithTheReason(_ text: String, _ fault: String) {
        let error = #expect(throws: TokenList.ParseError.self) { try list(text) }
        #expect(error?.description.contains(fault) == true)
        #expect(error?.description.contains("list") == true)
    }

    @Test func anyBytesGiveAListOrAnError() {
        for byte in UInt8.min...UInt8.max { _ = try? TokenList(parsing: [byte, 32, byte, 10, byte], source: "list") }
        #expect(throws: TokenList.ParseError.self) { try TokenList(parsing: [0xFF], source: "list") }
    }

    @Test func missingFileIsNamed() {
        let error = #expect(throws: TokenList.ParseError.self) { try TokenList(path: "/nowhere/tokens") }
        #expect(error?.description.contains("/nowhere/tokens") == true)
    }
}
