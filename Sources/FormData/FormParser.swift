internal import Glibc

/// Takes `multipart/form-data` apart as it arrives (RFC 7578 over RFC 2046). Strict, bounded, and total: any bytes give
/// parts or an error. Knows no socket: whoever has bytes feeds them.
public struct FormParser {
    /// What comes before a part's content.
    public struct Heading: Equatable, Sendable {
        /// Of the form's field.
        public var name: String
        /// Nil: the part is no file.
        public var fileName: String?

        public init(name: String, fileName: String? = nil) {
            self.name = name
            self.fileName = fileName
        }
    }

    public enum Event: Equatable, Sendable {
        case part(Heading)
        /// More of the content of the part that came last.
        case content([UInt8])
        /// The form is complete.
        case end
    }

    /// What is wrong with the form, in a sentence's end: "the form …".
    public struct FormError: Error, Equatable {
        public let what: String

        public init(_ what: String) { self.what = what }
    }

    /// Characters of a boundary, by RFC 2046.
    private static let maxBoundary = 70
    /// Bytes of a part's heading.
    private static let maxHeading = 4096
    private static let headingEnd = Array("\r\n\r\n".utf8)
    /// Parts of a form.
    private static let maxParts = 256

    private enum State {
        /// In front of the first boundary, or in a part's content.
        case content(isPreamble: Bool)
        /// Behind a boundary.
        case boundary
        case heading
        case end
    }

    private let delimiter: [UInt8]
    private var state = State.content(isPreamble: true)
    /// What has come and is not taken apart yet. A line's end in front makes the first boundary like all others.
    private var buffer: [UInt8] = Array("\r\n".utf8)
    private var parts = 0

    /// - Parameter contentType: the value of the field `Content-Type`.
    /// - Returns: nil if that is not a form's.
    public init?(contentType: String) throws(FormError) {
        let pieces = contentType.split(separator: ";", maxSplits: 1)
        guard pieces.first?.trimmed().lowercased() == "multipart/form-data" else { return nil }
        let boundary = Parameters.parse(pieces.dropFirst().first ?? "").first { $0.name == "boundary" }?.value
        guard let boundary, (1...Self.maxBoundary).contains(boundary.utf8.count) else {
            throw FormError("has no boundary of 1 to \(Self.maxBoundary) characters in its Content-Type")
        }
        delimiter = Array("\r\n--\(boundary)".utf8)
    }

    /// Takes more of the body.
    public mutating func feed(_ bytes: some Sequence<UInt8>) throws(FormError) -> [Event] {
        buffer.append(contentsOf: bytes)
        var events: [Event] = []
        var position = 0
        defer { buffer.removeFirst(position) }
        while true {
            switch state {
            case .content(let isPreamble):
                if let found = find(delimiter, from: position) {
                    if !isPreamble, found > position { events.append(.content(Array(buffer[position..<found]))) }
                    position = found + delimiter.count
                    state = .boundary
                } else {
                    // A delimiter may have begun at the end of what is here.
                    let safe = max(position, buffer.count - delimiter.count + 1)
                    if !isPreamble, safe > position { events.append(.content(Array(buffer[position..<safe]))) }
                    position = safe
                    return events
                }
            case .boundary:
                guard buffer.count >= position + 2 else { return events }
                let next = buffer[position..<(position + 2)]
                if next.elementsEqual("--".utf8) {
                    state = .end
                    events.append(.end)
                } else if next.elementsEqual("\r\n".utf8) {
                    // That line's end stays: an empty heading then ends as any other does.
                    state = .heading
                } else if next.first == UInt8(ascii: " ") || next.first == UInt8(ascii: "\t") {
                    position += 1
                } else {
                    throw FormError("has a boundary that is followed by neither a line's end nor two hyphens")
                }
            case .heading:
                guard let end = find(Self.headingEnd, from: position) else {
                    // Its end may have begun behind a heading of full length.
                    guard buffer.count - position < Self.maxHeading + Self.headingEnd.count else {
                        throw Self.longHeading
                    }
                    return events
                }
                guard end - position <= Self.maxHeading else { throw Self.longHeading }
                parts += 1
                guard parts <= Self.maxParts else { throw FormError("has more than \(Self.maxParts) parts") }
                events.append(.part(try Self.heading(buffer[position..<end])))
                position = end + Self.headingEnd.count
                state = .content(isPreamble: false)
            case .end:
                // An epilogue has no meaning.
                position = buffer.count
                return events
            }
        }
    }

    /// Whether the form's last boundary has come.
    public var isComplete: Bool {
        if case .end = state { true } else { false }
    }

    private static let longHeading = FormError("has a part whose heading is longer than \(maxHeading) bytes")

    private static func heading(_ bytes: ArraySlice<UInt8>) throws(FormError) -> Heading {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw FormError("has a part whose heading is not UTF-8")
        }
        for line in text.split(separator: "\r\n") {
            guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == "content-disposition" else {
                continue
            }
            let pieces = line[line.index(after: colon)...].split(separator: ";", maxSplits: 1)
            guard pieces.first?.trimmed().lowercased() == "form-data" else { break }
            let parameters = Parameters.parse(pieces.dropFirst().first ?? "")
            guard let name = parameters.first(where: { $0.name == "name" })?.value else { break }
            return Heading(name: name, fileName: parameters.first { $0.name == "filename" }?.value)
        }
        throw FormError("has a part without 'Content-Disposition: form-data; name=…'")
    }

    /// - Parameter pattern: begins with a carriage return.
    private func find(_ pattern: [UInt8], from position: Int) -> Int? {
        buffer.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            var start = position
            while start + pattern.count <= bytes.count {
                guard let found = memchr(base + start, Int32(pattern[0]), bytes.count - start) else { return nil }
                start = UnsafeRawPointer(found) - base
                guard start + pattern.count <= bytes.count else { return nil }
                if memcmp(found, pattern, pattern.count) == 0 { return start }
                start += 1
            }
            return nil
        }
    }
}

/// `name=value; name="value"` behind a header field's first word.
private enum Parameters {
    /// Names in lower case. In quotes a backslash stands for the quote or backslash behind it, and for itself otherwise:
    /// some browsers put a file's path there.
    static func parse(_ text: Substring) -> [(name: String, value: String)] {
        var parameters: [(name: String, value: String)] = []
        var rest = text
        while let equals = rest.firstIndex(of: "=") {
            let name = rest[..<equals].drop { $0 == ";" || $0 == " " || $0 == "\t" }.trimmed().lowercased()
            rest = rest[rest.index(after: equals)...]
            var value = ""
            if rest.first == "\"" {
                rest = rest.dropFirst()
                while let character = rest.popFirst(), character != "\"" {
                    if character == "\\", let next = rest.first, next == "\"" || next == "\\" {
                        value.append(next)
                        rest = rest.dropFirst()
                    } else {
                        value.append(character)
                    }
                }
                rest = rest.drop { $0 != ";" }
            } else {
                let end = rest.firstIndex(of: ";") ?? rest.endIndex
                value = String(rest[..<end].trimmed())
                rest = rest[end...]
            }
            parameters.append((name, value))
        }
        return parameters
    }
}

extension Substring {
    /// Without spaces and tabs at either end.
    fileprivate func trimmed() -> Substring {
        var text = drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
