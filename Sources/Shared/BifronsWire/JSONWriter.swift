internal import FoundationEssentials
internal import Hexadecimal

/// Appends JSON to a byte array without intermediate values: the router writes a result for every job on its only
/// thread.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init(capacity: Int = 1024) {
        bytes.reserveCapacity(capacity)
    }

    package mutating func object(_ body: (inout JSONWriter) -> Void) {
        container(UInt8(ascii: "{"), UInt8(ascii: "}"), body)
    }

    package mutating func array<Element>(
        _ elements: some Sequence<Element>, _ body: (inout JSONWriter, Element) -> Void
    ) {
        container(UInt8(ascii: "["), UInt8(ascii: "]")) { writer in
            for element in elements { body(&writer, element) }
        }
    }

    /// Writes a key that needs no escapes.
    package mutating func key(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func key(escaping name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    // MARK: Members of an object. A nil value writes nothing.

    package mutating func member(_ name: StaticString, _ value: String?) {
        guard let value else { return }
        key(name)
        string(value)
    }

    package mutating func member(_ name: StaticString, _ value: Int?) {
        guard let value else { return }
        key(name)
        integer(value)
    }

    package mutating func member(_ name: StaticString, _ value: Double?, decimals: Int = 6) {
        guard let value else { return }
        key(name)
        number(value, decimals: decimals)
    }

    package mutating func member(_ name: StaticString, _ value: Bool) {
        key(name)
        boolean(value)
    }

    /// Writes a member whose value is already JSON.
    package mutating func member(_ name: StaticString, raw value: [UInt8]?) {
        guard let value else { return }
        key(name)
        raw(value)
    }

    package mutating func member<Element>(
        _ name: StaticString, _ elements: [Element]?, _ body: (inout JSONWriter, Element) -> Void
    ) {
        guard let elements else { return }
        key(name)
        array(elements, body)
    }

    package mutating func member(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
        key(name)
        object(body)
    }

    // MARK: Values

    package mutating func string(_ value: String) {
        separate()
        var value = value
        bytes.append(UInt8(ascii: "\""))
        value.withUTF8 { text in
            // Nearly every string needs no escape. This loop has no early exit, so the compiler can vectorise it.
            var escapes = 0
            for byte in text { escapes &+= Self.needsEscape(byte) ? 1 : 0 }
            if escapes > 0 {
                for byte in text { escape(byte) }
            } else {
                bytes.append(contentsOf: text)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Writes a string of two hexadecimal digits per byte.
    package mutating func hexadecimal(_ value: [UInt8]) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        for byte in value { bytes.append(hexadecimal: byte) }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Writes the bytes as a string in base 64.
    package mutating func base64(_ value: [UInt8]) {
        string(Data(value).base64EncodedString())
    }

    /// Writes `[x, y, width, height]`.
    package mutating func box(_ value: Box) {
        array([value.x, value.y, value.width, value.height]) { $0.integer(Int($1)) }
    }

    package mutating func integer(_ value: Int) {
        separate()
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        appendDigits(value.magnitude)
    }

    /// Writes a number rounded to at most `decimals` digits after the point. A number that is not finite becomes null.
    package mutating func number(_ value: Double, decimals: Int = 6) {
        separate()
        guard value.isFinite else { return bytes.append(contentsOf: "null".utf8) }
        let unit = Self.powersOfTen[decimals]
        let scaled = (value.magnitude * unit).rounded()
        guard scaled < 1e15 else { return bytes.append(contentsOf: value.description.utf8) }
        if value < 0, scaled > 0 { bytes.append(UInt8(ascii: "-")) }
        let (whole, fraction) = UInt(scaled).quotientAndRemainder(dividingBy: UInt(unit))
        appendDigits(whole)
        guard fraction > 0 else { return }
        bytes.append(UInt8(ascii: "."))
        var rest = fraction
        var place = UInt(unit) / 10
        while rest > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(rest / place))
            rest %= place
            place /= 10
        }
    }

    package mutating func boolean(_ value: Bool) {
        separate()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    /// Writes a value that is already JSON.
    package mutating func raw(_ value: [UInt8]) {
        separate()
        bytes.append(contentsOf: value)
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func escape(_ byte: UInt8) {
        if byte < 0x20 {
            bytes.append(contentsOf: "\\u00".utf8)
            return bytes.append(hexadecimal: byte)
        }
        if Self.needsEscape(byte) { bytes.append(UInt8(ascii: "\\")) }
        bytes.append(byte)
    }

    private mutating func appendDigits(_ value: UInt) {
        if value >= 10 { appendDigits(value / 10) }
        bytes.append(UInt8(ascii: "0") + UInt8(value % 10))
    }

    private mutating func container(_ opening: UInt8, _ closing: UInt8, _ body: (inout JSONWriter) -> Void) {
        separate()
        bytes.append(opening)
        needsComma = false
        body(&self)
        bytes.append(closing)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private static let powersOfTen: [Double] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]
}
