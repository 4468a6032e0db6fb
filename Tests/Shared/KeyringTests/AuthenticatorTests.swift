import BifronsZeroMQ
import Keyring
import Testing

/// The ZAP handler, asked by hand: in life only libzmq asks it.
@Suite(.timeLimit(.minutes(5))) final class AuthenticatorTests {
    private let context: Context
    private let authenticator: Authenticator
    private let asker: Socket
    private let keys: [AllowList.Role: (text: String, bytes: [UInt8])]

    init() throws {
        var keys: [AllowList.Role: (text: String, bytes: [UInt8])] = [:]
        var list = ""
        for (number, role) in AllowList.Role.allCases.enumerated() {
            let bytes = [UInt8](repeating: UInt8(number + 1), count: 32)
            let text = try #require(bytes.withUnsafeBytes { Curve.text(ofKey: $0) })
            keys[role] = (text, bytes)
            list += "\(text) \(role.rawValue) \(role.rawValue)\n"
        }
        self.keys = keys
        context = try Context()
        authenticator = try Authenticator(AllowList(parsing: Array(list.utf8), source: "list"), context: context)
        asker = try Socket(.req, context: context)
        try asker.connect("inproc://zeromq.zap.01")
    }

    private func ask(_ frames: [[UInt8]]) throws -> [String] {
        let message = Message()
        for frame in frames { message.append(frame) }
        let outcome = try asker.send(message)
        try #require(outcome == .sent)
        _ = try authenticator.answer(atMost: 10)
        let isThere = try asker.wait(milliseconds: 10_000)
        try #require(isThere)
        _ = try asker.receive(into: message)
        return (0..<message.count).map { message.string(at: $0) }
    }

    private func request(_ domain: String, _ key: [UInt8], mechanism: String = "CURVE") -> [[UInt8]] {
        ["1.0", "7", domain, "127.0.0.1", "", mechanism].map { Array($0.utf8) } + [key]
    }

    @Test func eachRoleMayConnectOnlyInItsOwnDomain() throws {
        let allowed: [String: [AllowList.Role]] = [
            "clients": [.client, .gateway, .operator], "workers": [.worker], "other": [],
        ]
        for (domain, roles) in allowed {
            for role in AllowList.Role.allCases {
                let key = try #require(keys[role])
                let reply = try ask(request(domain, key.bytes))
                #expect(
                    reply
                        == (roles.contains(role)
                            ? ["1.0", "7", "200", "OK", key.text, ""] : ["1.0", "7", "300", "not allowed", "", ""]),
                    "\(role) at \(domain)")
            }
        }
    }

    @Test func malformedRequestsAndUnknownKeysAreRefused() throws {
        let key = try #require(keys[.client]).bytes
        let good = request("clients", key)
        var cases = [[[]], [[1]], Array(good.dropLast()), good + [[1]], good + Array(repeating: [], count: 100)]
        cases.append(request("clients", Array(key.dropLast())))
        cases.append(request("clients", []))
        cases.append(request("clients", [UInt8](repeating: 9, count: 32)))
        cases.append(request("clients", key, mechanism: "PLAIN"))
        cases.append(request("clients", key, mechanism: "NULL"))
        cases.append([Array("2.0".utf8)] + good.dropFirst())
        cases.append(Array(repeating: [0xFF], count: 7))
        for frames in cases {
            let reply = try ask(frames)
            #expect(reply.count == 6)
            #expect(reply[2] == "300", "\(frames)")
            #expect(reply[4] == "")
        }
        #expect(try ask(good)[2] == "200")
    }

    @Test func aReplacedListAppliesAtOnce() throws {
        let key = try #require(keys[.client])
        let removed = authenticator.replace(try AllowList(parsing: [], source: "list"))
        #expect(Set(removed) == Set(keys.keys))
        #expect(try ask(request("clients", key.bytes))[2] == "300")
        #expect(authenticator.replace(try AllowList(parsing: Array("\(key.text) worker w".utf8), source: "list")) == [])
        #expect(try ask(request("clients", key.bytes))[2] == "300")
        #expect(try ask(request("workers", key.bytes))[2] == "200")
    }
}
