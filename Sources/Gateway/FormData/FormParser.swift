internal import Glibc

/// Takes `multipart/form-data` apart as it arrives (RFC 7578 over RFC 2046). Strict, bounded, and total: any bytes give
/// parts or an error. Knows no socket: whoever has bytes feeds them.
///
/// MultipartKit has no bounds: it keeps a heading, or a line of a file, however long it becomes. It also takes no folded line and
/// no text that is not UTF-8, and leaves the parameters as they stand.
package struct FormParser {
    /// What comes before a part's content.
    package struct Heading: Equatable, Sendable {
        /// Of the form's field.
        package var name: String
        /// Nil: the part names none.
        package var fileName: String?
        /// Whether the part names a file, or its type is that of an image or of any bytes: some clients name no file.
        package var isFile: Bool

        /// - Parameter isFile: nil: whether there is a file's name.
        package init(name: String, fileName: String? = nil, isFile: Bool? = nil) {
            self.name = name
            self.fileName = fileName
            self.isFile = isFile ?? (fileName != nil)
        }
    }

    package enum Event: Equatable, Sendable {
        case part(Heading)
        /// More of the content of the part that came last.
        case content([UInt8])
        /// The form is complete.
        case end
    }

    /// What is wrong with the form, in a sentence's end: "the form …".
    package struct FormError: Error, Equatable {
        package let what: String

        package init(_ what: String) { self.what = what }
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
    package init?(contentType: String) throws(FormError) {
        let (type, parameters) = Self.value(Array(contentType.utf8)[...])
        guard type == "multipart/form-data" else { return nil }
        guard let boundary = parameters.bytes("boundary"), (1...Self.maxBoundary).contains(boundary.count) else {
            throw FormError("has no boundary of 1 to \(Self.maxBoundary) characters in its Content-Type")
        }
        delimiter = Array("\r\n--".utf8) + boundary
    }

    /// Takes more of the body.
    package mutating func feed(_ bytes: some Sequence<UInt8>) throws(FormError) -> [Event] {
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
    package var isComplete: Bool {
        if case .end = state { true } else { false }
    }

    private static let longHeading = FormError("has a part whose heading is longer than \(maxHeading) bytes")

    private static func heading(_ bytes: ArraySlice<UInt8>) throws(FormError) -> Heading {
        var disposition: Parameters?
        var isContent = false
        for line in lines(bytes) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let (word, parameters) = value(line[(colon + 1)...])
            switch String(decoding: line[..<colon].trimmed(), as: UTF8.self).lowercased() {
            // Of several the first counts.
            case "content-disposition" where disposition == nil:
                disposition = word == "form-data" ? parameters : Parameters([])
            case "content-type": isContent = word.hasPrefix("image/") || word.hasSuffix("/octet-stream")
            default: break
            }
        }
        guard let disposition, let name = disposition.text("name") else {
            throw FormError("has a part without 'Content-Disposition: form-data; name=…'")
        }
        let fileName = disposition.text("filename")
        return Heading(name: name, fileName: fileName, isFile: fileName != nil || isContent)
    }

    /// A header field's first word, in lower case, and the parameters behind it.
    private static func value(_ bytes: ArraySlice<UInt8>) -> (word: String, parameters: Parameters) {
        let pieces = bytes.split(separator: UInt8(ascii: ";"), maxSplits: 1, omittingEmptySubsequences: false)
        let word = String(decoding: pieces[0].trimmed(), as: UTF8.self).lowercased()
        return (word, Parameters(pieces.dropFirst().first ?? []))
    }

    /// The lines of a heading. One that begins with white space goes on with the line before (RFC 5322, 2.2.3).
    private static func lines(_ heading: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = heading.startIndex
        for index in heading.indices.dropLast()
        where heading[index] == UInt8(ascii: "\r") && heading[index + 1] == UInt8(ascii: "\n") {
            let next = index + 2 < heading.endIndex ? heading[index + 2] : nil
            guard next != UInt8(ascii: " "), next != UInt8(ascii: "\t") else { continue }
            lines.append(heading[start..<index])
            start = index + 2
        }
        return lines + [heading[start...]]
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
