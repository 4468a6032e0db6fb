internal import HTTPTypes

/// Checks the `Host` field of a request (RFC 9112, 3.2).
///
/// If a proxy and a server interpret the field differently, an attacker can exploit the difference. So an ambiguous
/// request is refused, although the gateway does not use the value. (Foundation's `URLComponents` does not accept zone
/// identifiers as clients write them: `[fe80::1%eth0]`.)
enum HostField {
    private static let name = HTTPField.Name("Host")!

    /// Checks that a request has exactly one valid `Host` field.
    /// - Throws: ``Problem`` if the request has none, several, or an invalid one.
    static func check(_ request: HTTPRequest) throws(Problem) {
        // The server has moved the first `Host` field into the authority.
        guard let host = request.authority else {
            throw refusal("has no field Host; send the host that you connect to, as 'Host: example.org'")
        }
        guard request.headerFields[fields: name].isEmpty else { throw refusal("has several fields Host; send one") }
        guard isValid(host) else {
            throw refusal(
                "has the field Host '\(host.prefix(64))'; send a name or an address, and a port if it needs one, as "
                    + "'Host: example.org:5000'")
        }
    }

    /// Whether a value has the form `uri-host [":" port]`. RFC 3986 allows an empty host, which a client sends if it
    /// knows no name for the server.
    static func isValid(_ value: String) -> Bool {
        var rest = Array(value.utf8)[...]
        if rest.first == UInt8(ascii: "[") {
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")), end > 1,
                rest[1..<end].allSatisfy({ isOfName($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "%") })
            else { return false }
            rest = rest[(end + 1)...]
        } else {
            let end = rest.firstIndex(of: UInt8(ascii: ":")) ?? rest.endIndex
            guard isName(rest[..<end]) else { return false }
            rest = rest[end...]
        }
        guard let colon = rest.first else { return true }
        return colon == UInt8(ascii: ":") && rest.dropFirst().allSatisfy(isDigit)
    }

    /// Whether a name is a `reg-name` of RFC 3986.
    private static func isName(_ name: ArraySlice<UInt8>) -> Bool {
        PercentEncoding.decode(String(decoding: name, as: UTF8.self)) != nil
            && name.allSatisfy { isOfName($0) || $0 == UInt8(ascii: "%") }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    /// Whether a byte is one of `unreserved` or `sub-delims` of RFC 3986.
    private static func isOfName(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || "-._~!$&'()*+,;=".utf8.contains(byte)
    }

    private static func refusal(_ what: String) -> Problem {
        Problem(.badRequest, code: "malformed_request", "the request \(what)")
    }
}
