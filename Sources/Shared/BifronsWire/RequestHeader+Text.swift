extension RequestHeader {
    /// Creates a header from fields with text values, such as query parameters and form fields. The names and meanings
    /// are those of the header's JSON fields.
    ///
    /// Numbers are written in digits, booleans as `true`, `false`, `1` or `0` in any case, `models` as names separated
    /// by commas, `metadata` and `subject` as JSON.
    ///
    /// - Throws: The error with which a router would answer the same header.
    public init(verb: Verb, fields: [(name: String, text: String)]) throws(Refused) {
        for (name, text) in fields where Self.booleans.contains(name) && Self.boolean(text) == nil {
            let message = "the field '\(name)' must be true, false, 1 or 0, not '\(text.prefix(32))'"
            let id = fields.last { $0.name == "id" }?.text
            throw Refused(id: id, error: WireError(.badRequest, code: "malformed_header", message))
        }
        var json = JSONWriter(capacity: 256)
        json.object { json in
            json.member("verb", verb.rawValue)
            for (name, text) in fields where name != "verb" {
                json.key(escaping: name)
                Self.write(text, of: name, &json)
            }
        }
        self = try Self.decode(json.bytes)
    }

    private static let booleans = ["durable", "wait", "explain"]

    /// Returns the boolean, or nil. The case is ignored because clients write booleans as their language does, such as
    /// Python's `True`.
    private static func boolean(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "1": true
        case "false", "0": false
        default: nil
        }
    }

    /// Writes a field as JSON. A text that does not fit its field stays a string, which decoding refuses with the right
    /// message.
    private static func write(_ text: String, of name: String, _ json: inout JSONWriter) {
        switch name {
        case "budget_ms", "priority":
            if let number = Int(text) { json.integer(number) } else { json.string(text) }
        case _ where booleans.contains(name): json.boolean(boolean(text) == true)
        case "models":
            // An empty text gives an empty list, which decoding refuses.
            json.array(text.split(separator: ",", omittingEmptySubsequences: text.isEmpty)) { $0.string(String($1)) }
        case "metadata", "subject": if isObject(text) { json.raw(Array(text.utf8)) } else { json.string(text) }
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
