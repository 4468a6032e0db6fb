import HTTPTypes
import Testing

@testable import Gateway

@Suite struct HostFieldTests {
    @Test(arguments: [
        "a", "a.example:5000", "127.0.0.1", "[::1]", "[::1]:5000", "[fe80::1%25eth0]", "[v1.a:b]", "", ":", "a:", ":80",
        "a_b",
        "a%41", "A-1.~!$&'()*+,;=",
    ])
    func validHostsAreAccepted(_ host: String) throws {
        #expect(HostField.isValid(host))
        try HostField.check(HTTPRequest(method: .get, scheme: "http", authority: host, path: "/"))
    }

    @Test(arguments: [
        "a b", "a/b", "a?b", "a#b", "a@b", "a:b", "a:1:2", "a:-1", "::1", "[::1", "::1]", "[]", "[::1]a",
        "[::1]:x", "a[", "[a]b",
        "%", "%4", "%zz", "%ff", "ä", "a\\b", "\"a\"", "<a>", "a|b", "a,\tb",
    ])
    func invalidHostsAreRefused(_ host: String) {
        #expect(!HostField.isValid(host))
        let request = HTTPRequest(method: .get, scheme: "http", authority: host, path: "/")
        let problem = #expect(throws: Problem.self) { try HostField.check(request) }
        #expect(problem?.status == .badRequest)
        #expect(problem?.code == "malformed_request")
    }

    @Test func missingAndRepeatedHostsAreRefused() {
        var request = HTTPRequest(method: .get, scheme: "http", authority: nil, path: "/")
        #expect(throws: Problem.self) { try HostField.check(request) }
        request.authority = "a"
        request.headerFields.append(HTTPField(name: HTTPField.Name("host")!, value: "a"))
        #expect(throws: Problem.self) { try HostField.check(request) }
    }
}
