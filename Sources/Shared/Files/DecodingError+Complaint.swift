extension DecodingError {
    /// What is wrong with a JSON text, as a clause: `input.mean[1] must be a number`. Nil if the text is not valid
    /// JSON.
    package var complaint: String? {
        switch self {
        case .keyNotFound(let key, let context):
            "\(Self.field(context.codingPath + [key])) is missing: it must be given"
        case .valueNotFound(let type, let context):
            "\(Self.field(context.codingPath)) is null: it must be \(Self.word(type))"
        case .typeMismatch(let type, let context): "\(Self.field(context.codingPath)) must be \(Self.word(type))"
        case .dataCorrupted(let context) where !context.codingPath.isEmpty:
            "\(Self.field(context.codingPath)) has a value that is not known"
        default: nil
        }
    }

    /// Returns the path of a value, for instance `input.mean[1]`.
    private static func field(_ keys: [any CodingKey]) -> String {
        let name = keys.reduce("") { path, key in
            if let index = key.intValue { return path + "[\(index)]" }
            return path.isEmpty ? key.stringValue : path + "." + key.stringValue
        }
        return name.isEmpty ? "the whole" : name
    }

    private static func word(_ type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Double.Type: "a number"
        case is Int.Type: "an integer"
        case is Bool.Type: "true or false"
        case is [Any].Type, is [Double].Type: "a list"
        default: "an object"
        }
    }
}
