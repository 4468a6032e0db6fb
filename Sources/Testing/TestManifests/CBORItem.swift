/// A value to be written as CBOR.
package indirect enum Item: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    case int(Int)
    case text(String)
    case bytes([UInt8])
    case array([Item])
    case map([(Item, Item)])
    case tagged(Int, Item)
    case null
    case bool(Bool)

    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int) { self = .int(value) }
    package init(arrayLiteral elements: Item...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (Item, Item)...) { self = .map(elements) }

    package var encoded: [UInt8] {
        switch self {
        case .int(let number): number >= 0 ? Self.head(0, number) : Self.head(1, -1 - number)
        case .text(let text): Self.head(3, text.utf8.count) + text.utf8
        case .bytes(let bytes): Self.head(2, bytes.count) + bytes
        case .array(let items): Self.head(4, items.count) + items.flatMap(\.encoded)
        case .map(let entries): Self.head(5, entries.count) + entries.flatMap { $0.0.encoded + $0.1.encoded }
        case .tagged(let tag, let item): Self.head(6, tag) + item.encoded
        case .null: [0xF6]
        case .bool(let bool): [bool ? 0xF5 : 0xF4]
        }
    }

    private static func head(_ major: UInt8, _ argument: Int) -> [UInt8] {
        switch argument {
        case ..<24: [major << 5 | UInt8(argument)]
        case ..<256: [major << 5 | 24, UInt8(argument)]
        case ..<65_536: [major << 5 | 25] + big16(argument)
        default: [major << 5 | 26] + big(argument)
        }
    }
}
