/// A value of CBOR or JSON.
indirect enum Value {
    case null
    case bool(Bool)
    case int(Int)
    case float(Double)
    case text(String)
    case bytes([UInt8])
    case array([Value])
    /// Keys that are no text or whole number are left out. Of equal keys the first counts.
    case map([(key: Key, value: Value)])
    case tagged(Int, Value)

    enum Key: Hashable {
        case text(String)
        case int(Int)
    }

    subscript(name: String) -> Value? { find(.text(name)) }
    subscript(number: Int) -> Value? { find(.int(number)) }

    private func find(_ key: Key) -> Value? {
        guard case .map(let entries) = untagged else { return nil }
        return entries.first { $0.key == key }?.value
    }

    /// The value without its tags.
    var untagged: Value {
        if case .tagged(_, let value) = self { return value.untagged }
        return self
    }

    var text: String? {
        if case .text(let text) = untagged { return text }
        return nil
    }

    var int: Int? {
        if case .int(let number) = untagged { return number }
        return nil
    }

    var bool: Bool? {
        if case .bool(let bool) = untagged { return bool }
        return nil
    }

    var bytes: [UInt8]? {
        if case .bytes(let bytes) = untagged { return bytes }
        return nil
    }

    var array: [Value]? {
        if case .array(let array) = untagged { return array }
        return nil
    }

    var isMap: Bool {
        if case .map = untagged { return true }
        return false
    }
}
