import BifronsZeroMQ
import Keyring
import Testing

struct AllowListTests {
    private static let keys = [Character("a"), "b", "9"].map { String(repeating: $0, count: 40) }

    private func refusal(_ text: String) -> String? {
        do {
            _ = try AllowList(parsing: Array(text.utf8), source: "list")
            return nil
        } catch {
            return error.description
        }
    }

    @Test func linesGiveKeyRoleAndName() throws {
        let (a, b, nine) = (Self.keys[0], Self.keys[1], Self.keys[2])
        let text = "#a comment\n\n\(a) client shop\r\n  \(b)\tworker  gpu-1 \n\(nine) operator eve"
        let list = try AllowList(parsing: Array(text.utf8), source: "list")
        #expect(list[a]?.role == .client)
        #expect(list[a]?.name == "shop")
        #expect(list[b]?.role == .worker)
        #expect(list[nine]?.role == .operator)
        #expect(list[""] == nil)
        #expect(list[String(repeating: "c", count: 40)] == nil)
    }

    @Test(arguments: AllowList.Role.allCases) func everyRoleIsReadAndListedInErrors(role: AllowList.Role) throws {
        let text = "\(Self.keys[0]) \(role.rawValue) me"
        #expect(try AllowList(parsing: Array(text.utf8), source: "list")[Self.keys[0]]?.role == role)
        #expect(refusal("\(Self.keys[0]) admin a")?.contains(role.rawValue) == true)
    }

    @Test func anEmptyListAllowsNobody() throws {
        #expect(try AllowList(parsing: [], source: "list")[Self.keys[0]] == nil)
    }

    @Test(arguments: [
        ("x", "line 1 of list has 1 words"),
        ("\n\(keys[0]) client", "line 2 of list has 2 words"),
        ("\(keys[0]) client a b", "line 1 of list has 4 words"),
        ("short client a", "line 1 of list has no key"),
        ("\(keys[0]) admin a", "line 1 of list has a role"),
        ("\(keys[0]) client \(String(repeating: "n", count: 65))", "line 1 of list has a name"),
        ("\(keys[0]) client é", "line 1 of list has a name"),
        ("\(keys[0]) client a\n\(keys[0]) client b", "line 2 of list has the key of another"),
        ("\(keys[0]) client a\n\(keys[1]) worker a", "line 2 of list has the name of another"),
    ])
    func theErrorOfAnInvalidLineNamesTheLineButNotItsKey(text: String, beginning: String) {
        let refusal = refusal(text) ?? ""
        #expect(refusal.hasPrefix(beginning), "\(refusal)")
        #expect(!Self.keys.contains { refusal.contains($0) })
    }

    @Test func aListThatIsNotUTF8OrTooLongIsRefused() {
        #expect(throws: KeyringError.self) { _ = try AllowList(parsing: [10, 0xFF, 0xFE], source: "list") }
        let long = [UInt8](repeating: 10, count: AllowList.maxBytes + 1)
        #expect(throws: KeyringError.self) { _ = try AllowList(parsing: long, source: "list") }
    }

    @Test func anyBytesGiveAListOrAnError() {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array("\(Self.keys[0]) client\n\t#\r a".utf8) + [0, 0xC3, 0xFF]
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...120)).map { _ in alphabet.randomElement(using: &random)! }
            _ = try? AllowList(parsing: bytes, source: "list")
        }
    }
}
