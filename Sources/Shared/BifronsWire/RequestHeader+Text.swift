extension RequestHeader {
    /// Reads fields whose values are texts, as query parameters and forms have them; names and meanings are the header's own.
    ///
    /// Numbers stand as digits, booleans as `true`, `false`, `1` or `0` in any case, `models` as names with commas between, `metadata` as JSON.
    /// - Throws: the error that the same header would get from a router.
    public init(verb: Verb, fields: [(name: String, text: String)]) throws(Refused) {
        for (name, text) in fields where Self.booleans.contains(name) && Self.boolean(text) == nil {
            let message = "the field '\(name)' must be true, false, 1 or 0, not '\(text.prefix(32))'"
            let id = fields.last { $0.name == "id" }?.text
            throw Refused(id: id, error: WireError(.badRequest, code: "malformed_header", message))
        }
        var json = JSONWriter(capacity: 256)
        json.object { json in
            json.key("verb")
            json.string(verb.rawValue)
            for (name, text) in fields where name != "verb" {
                json.key(escaping: name)
                Self.write(text, of: name, &json)
            }
        }
        self = try json.bytes.withUnsafeBytes { bytes in
            Result { () throws(Refused) in try Self.decode(bytes) }
        }.get()
    }

    private static let booleans = ["durable", "wait", "explain"]

    /// Clients write a boolean as their language does: Python's is `True`.
    private static func boolean(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "1": true
        case "false", "0": false
        default: nil
        }
    }

    /// What cannot be what its field needs stays a string, which decoding refuses with the right sentence.
    private static func write(_ text: String, of name: String, _ json: inout JSONWriter) {
        switch name {
        case "budget_ms", "priority":
            if let number = Int(text) { json.integer(number) } else { json.string(text) }
        case _ where booleans.contains(name): json.boolean(boolean(text) == true)
        case "models":
            // Nothing names no model, which is refused as such.
            json.array(text.split(separator: ",", omittingEmptySubsequences: text.isEmpty)) { $0.string(String($1)) }
        case "metadata": if isObject(text) { json.raw(Array(text.utf8)) } else { json.string(text) }
        default: json.string(text)
        }
    }

    private static func isObject(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var json = JSONReader(UnsafeRawBufferPointer(bytes))
            do {
                guard try json.peek() == .object else { return false }
                _ = try json.skipValue()
                try json.end()
                return true
            } catch {
                return false
            }
        }
    }
}
