/// The properties of an XMP packet (ISO 16684-1) that can tell how a picture was made.
///
/// The scanner takes any bytes. It knows elements, attributes, namespaces, comments, CDATA and the predefined
/// references, and nothing else of XML: entities that a document declares stay as they are written, and no address in a
/// packet is ever looked up. A property counts only where RDF puts a picture's own properties, in an `rdf:Description`
/// of `rdf:RDF`; the same name deeper inside is about something else, such as an ingredient.
struct XMPPacket {
    enum Property: Hashable {
        case digitalSourceType
        /// Written by some of Google's programs in the place of `digitalSourceType`.
        case digitalSourceFileType
        case aiSystemUsed, credit, creatorTool, aigc, description, hasExtendedXMP
    }

    private(set) var values: [(property: Property, value: String)] = []

    func first(_ property: Property) -> String? { values.first { $0.property == property }?.value }

    func all(_ property: Property) -> [String] { values.filter { $0.property == property }.map(\.value) }

    /// The most bytes of a value that are kept.
    private static let longestValue = 1 << 16
    /// The most levels of elements.
    private static let deepest = 64

    private enum Space { case rdf, iptcExtension, photoshop, xmp, dublinCore, note, tc260, other }

    private enum Element: Equatable {
        case rdf, description, item, other
        case property(Property)
    }

    private let bytes: ByteView
    private let effort: Effort
    private var offset = 0
    /// The open elements, each with the number of declared prefixes before it.
    private var open: [(element: Element, prefixes: Int)] = []
    private var prefixes: [(name: ByteView, space: Space)] = []
    /// The text in the property that is open.
    private var text: [UInt8] = []

    /// Reads a packet in UTF-8.
    init(_ bytes: ByteView, _ effort: Effort) throws(EvidenceError) {
        self.bytes = bytes
        self.effort = effort
        while let tag = bytes.firstOffset(of: UInt8(ascii: "<"), from: offset) {
            try effort.item()
            addText(bytes.slice(offset, tag - offset), isEscaped: true)
            offset = tag + 1
            if bytes.has("!--", at: offset) {
                skip(past: "-->")
            } else if bytes.has("![CDATA[", at: offset) {
                let start = offset + 8
                skip(past: "]]>")
                addText(bytes.slice(start, offset - 3 - start), isEscaped: false)
            } else if bytes[offset] == UInt8(ascii: "?") {
                skip(past: "?>")
            } else if bytes[offset] == UInt8(ascii: "!") {
                skip(past: ">")
            } else if bytes[offset] == UInt8(ascii: "/") {
                skip(past: ">")
                close()
            } else {
                try readStartTag()
            }
        }
    }

    private mutating func skip(past end: String) {
        offset = bytes.firstOffset(of: end, from: offset).map { $0 + end.utf8.count } ?? bytes.count
    }

    // MARK: Elements

    private typealias Attribute = (name: ByteView, value: ByteView)

    private mutating func readStartTag() throws(EvidenceError) {
        let name = readName()
        var attributes: [Attribute] = []
        while let attribute = readAttribute() {
            try effort.item()
            attributes.append(attribute)
        }
        let isEmpty = bytes[offset] == UInt8(ascii: "/")
        skip(past: ">")
        try effort.level(open.count + 1, of: "The elements of the XMP packet", atMost: Self.deepest)
        let known = prefixes.count
        for attribute in attributes where attribute.name.has("xmlns:") {
            prefixes.append((attribute.name.dropping(6), Self.space(attribute.value)))
        }
        let element = element(name)
        open.append((element, known))
        if case .property = element { text = [] }
        if element == .description { for attribute in attributes { addProperty(attribute) } }
        if isInProperty,
            let resource = attributes.first(where: { local($0.name, in: .rdf)?.equals("resource") == true })
        {
            addText(resource.value, isEscaped: true)
        }
        if isEmpty { close() }
    }

    /// Returns what an element is by its place. A property's own elements are of no interest, except the items of its
    /// list.
    private func element(_ name: ByteView) -> Element {
        if let local = local(name, in: .rdf) {
            if local.equals("RDF") { return .rdf }
            if local.equals("Description"), open.last?.element == .rdf { return .description }
            return local.equals("li") && isInProperty ? .item : .other
        }
        guard open.last?.element == .description, let property = property(name) else { return .other }
        return .property(property)
    }

    private var isInProperty: Bool { openProperty != nil }

    private var openProperty: Property? {
        for element in open.reversed() {
            if case .property(let property) = element.element { return property }
        }
        return nil
    }

    private mutating func close() {
        guard let last = open.last else { return }
        if case .property(let property) = last.element { emit(property) }
        if last.element == .item, let property = openProperty { emit(property) }
        open.removeLast()
        prefixes.removeLast(prefixes.count - last.prefixes)
    }

    private mutating func emit(_ property: Property) {
        let value = Self.trimmed(text)
        text = []
        if !value.isEmpty { values.append((property, value)) }
    }

    private mutating func addText(_ more: ByteView?, isEscaped: Bool) {
        guard let more, isInProperty, text.count < Self.longestValue else { return }
        let kept = more.prefix(Self.longestValue - text.count)
        text += isEscaped ? Self.unescaped(kept) : Array(kept.buffer)
    }

    private mutating func addProperty(_ attribute: Attribute) {
        guard let property = property(attribute.name) else { return }
        let value = Self.trimmed(Self.unescaped(attribute.value.prefix(Self.longestValue)))
        if !value.isEmpty { values.append((property, value)) }
    }

    // MARK: Names

    private mutating func readName() -> ByteView {
        let start = offset
        while let byte = bytes[offset], !Self.isSpace(byte), !"=/><\"'".utf8.contains(byte) { offset += 1 }
        return bytes.slice(start, offset - start) ?? bytes.prefix(0)
    }

    /// Reads the next attribute; nil at the end of the tag.
    private mutating func readAttribute() -> Attribute? {
        skipSpace()
        let name = readName()
        guard name.count > 0 else { return nil }
        skipSpace()
        guard bytes[offset] == UInt8(ascii: "=") else { return (name, bytes.prefix(0)) }
        offset += 1
        skipSpace()
        guard let quote = bytes[offset], quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"),
            let end = bytes.firstOffset(of: quote, from: offset + 1)
        else { return nil }
        defer { offset = end + 1 }
        return bytes.slice(offset + 1, end - offset - 1).map { (name, $0) }
    }

    private mutating func skipSpace() {
        while let byte = bytes[offset], Self.isSpace(byte) { offset += 1 }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func space(_ address: ByteView) -> Space {
        let known: [(String, Space)] = [
            ("http://www.w3.org/1999/02/22-rdf-syntax-ns#", .rdf),
            ("http://iptc.org/std/Iptc4xmpExt/2008-02-29/", .iptcExtension),
            ("http://ns.adobe.com/photoshop/1.0/", .photoshop), ("http://ns.adobe.com/xap/1.0/", .xmp),
            ("http://purl.org/dc/elements/1.1/", .dublinCore), ("http://ns.adobe.com/xmp/note/", .note),
            ("http://www.tc260.org.cn/ns/AIGC/1.0/", .tc260),
        ]
        return known.first { address.equals($0.0) }?.1 ?? .other
    }

    private func split(_ name: ByteView) -> (space: Space, local: ByteView)? {
        guard let colon = name.firstOffset(of: UInt8(ascii: ":")) else { return nil }
        let prefix = name.prefix(colon)
        let found = prefixes.last { $0.name.buffer.elementsEqual(prefix.buffer) }
        return found.map { ($0.space, name.dropping(colon + 1)) }
    }

    private func local(_ name: ByteView, in space: Space) -> ByteView? {
        guard let split = split(name), split.space == space else { return nil }
        return split.local
    }

    private func property(_ name: ByteView) -> Property? {
        guard let (space, local) = split(name) else { return nil }
        return switch space {
        case .iptcExtension:
            if local.equals("DigitalSourceType") {
                .digitalSourceType
            } else if local.equals("DigitalSourceFileType") {
                .digitalSourceFileType
            } else if local.equals("AISystemUsed") {
                .aiSystemUsed
            } else {
                nil
            }
        case .photoshop: local.equals("Credit") ? .credit : nil
        case .xmp: local.equals("CreatorTool") ? .creatorTool : nil
        case .dublinCore: local.equals("description") ? .description : nil
        case .note: local.equals("HasExtendedXMP") ? .hasExtendedXMP : nil
        case .tc260: local.equals("AIGC") ? .aigc : nil
        case .rdf, .other: nil
        }
    }

    // MARK: Values

    private static func trimmed(_ value: [UInt8]) -> String {
        let start = value.firstIndex { !isSpace($0) } ?? value.endIndex
        let end = value.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? start
        return String(decoding: value[start..<end], as: UTF8.self)
    }

    /// Replaces references to characters and to XML's five predefined entities; leaves all others as they are.
    private static func unescaped(_ value: ByteView) -> [UInt8] {
        guard value.firstOffset(of: UInt8(ascii: "&")) != nil else { return Array(value.buffer) }
        var result: [UInt8] = []
        var offset = 0
        while let byte = value[offset] {
            let name = byte == UInt8(ascii: "&") ? value.dropping(offset + 1).prefix(10) : value.prefix(0)
            if let end = name.firstOffset(of: UInt8(ascii: ";")), let text = character(name.prefix(end).text) {
                result += text.utf8
                offset += end + 2
            } else {
                result.append(byte)
                offset += 1
            }
        }
        return result
    }

    private static func character(_ name: String) -> String? {
        let entities = ["lt": "<", "gt": ">", "amp": "&", "quot": "\"", "apos": "'"]
        if let entity = entities[name] { return entity }
        guard name.hasPrefix("#") else { return nil }
        let isHexadecimal = name.hasPrefix("#x")
        let number = UInt32(name.dropFirst(isHexadecimal ? 2 : 1), radix: isHexadecimal ? 16 : 10)
        return number.flatMap(Unicode.Scalar.init).map { String(Character($0)) }
    }
}
