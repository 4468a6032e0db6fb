/// The answer to a verb about policies and decisions: an id, a status and the members that the verb documents.
package struct DecisionReply: Equatable, Sendable {
    package var id: String?
    package var status: Status
    /// The further members, as the JSON text of an object.
    package var members: [UInt8]

    /// - Parameter members: the JSON text of an object.
    package init(id: String?, status: Status = .ok, members: [UInt8]) {
        self.id = id
        self.status = status
        self.members = members
    }

    /// Returns the result frame.
    package func encoded() -> [UInt8] {
        var json = JSONWriter(capacity: 64 + members.count)
        json.object { json in
            json.member("id", id)
            json.member("status", status.rawValue)
        }
        guard members.count > 2 else { return json.bytes }
        return json.bytes.dropLast() + [UInt8(ascii: ",")] + members.dropFirst()
    }
}
