internal import Glibc

/// Parses `multipart/form-data` as it arrives (RFC 7578, based on RFC 2046). The parser is strict, bounded and total:
/// any bytes give parts or an error. It does no I/O; the caller feeds it bytes.
///
/// MultipartKit has no bounds: it buffers a part's header, or a line of a file, of any length. It also rejects folded
/// lines and text that is not UTF-8, and does not parse the parameters.
package struct FormParser {
    /// The header of a part.
    package struct Heading: Equatable, Sendable {
        /// The name of the form field.
        package var name: String
        /// The file name; nil if the part has none.
        package var fileName: String?
        /// Whether the part is a file: it has a file name, or its type is an image or `…/octet-stream`. Some clients
        /// send no file name.
        package var isFile: Bool

        /// Creates a heading.
        /// - Parameter isFile: by default, whether there is a file name.
        package init(name: String, fileName: String? = nil, isFile: Bool? = nil) {
            self.name = name
            self.fileName = fileName
            self.isFile = isFile ?? (fileName != nil)
        }
    }

    package enum Event: Equatable, Sendable {
        case part(Heading)
        /// More content of the latest part.
        case content([UInt8])
        /// The form is complete.
        case end
    }

    /// What is wrong with the form, as the end of a sentence that begins with "the form".
    package struct FormError: Error, Equatable {
        package let what: String

        package init(_ what: String) { self.what = what }
    }

    /// The most characters of a boundary, by RFC 2046.
    private static let maxBoundary = 70
    /// The most bytes of a part's header.
    private static let maxHeading = 4096
    private static let headingEnd = Array("\r\n\r\n".utf8)
    /// The most parts of a form.
    private static let maxParts = 256

    private enum State {
        /// Before the first boundary, or in a part's content.
        case content(isPreamble: Bool)
        /// After a boundary.
        case boundary
        case heading
        case end
    }

    private let delimiter: [UInt8]
    private var state = State.content(isPreamble: true)
    /// The bytes that have arrived and are not parsed yet. The initial line break makes the first boundary look like
    /// all others.
    private var buffer: [UInt8] = Array("\r\n".utf8)
    private var parts = 0

    /// Creates a parser for a body; returns nil if the content type is not that of a form.
    /// - Parameter contentType: the value of the `Content-Type` field.
    /// - Throws: ``FormError`` if the content type has no valid boundary.
    package init?(contentType: String) throws(FormError) {
        let (type, parameters) = Self.value(Array(contentType.utf8)[...])
        guard type == "multipart/form-data" else { return nil }
        guard let boundary = parameters.bytes("boundary"), (1...Self.maxBoundary).contains(boundary.count) else {
            throw FormError("has no boundary of 1 to \(Self.maxBoundary) characters in its Content-Type")
        }
        delimiter = Array("\r\n--".utf8) + boundary
    }

    /// Parses more of the body.
    /// - Returns: the events that the new bytes complete.
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
                    // A delimiter may begin in the last bytes of the buffer.
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
                    // The line break stays in the buffer, so that an empty header ends like any other.
                    state = .heading
                } else if next.first == UInt8(ascii: " ") || next.first == UInt8(ascii: "\t") {
                    position += 1
                } else {
                    throw FormError("has a boundary that is followed by neither a line's end nor two hyphens")
                }
            case .heading:
                guard let end = find(Self.headingEnd, from: position) else {
                    // The end may begin after a header of the maximum length.
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
                // The epilogue is ignored.
                position = buffer.count
                return events
            }
        }
    }

    /// Whether the form's last boundary has arrived.
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
            // The first of several fields counts.
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

    /// Returns a header field's first word, in lower case, and its parameters.
    private static func value(_ bytes: ArraySlice<UInt8>) -> (word: String, parameters: Parameters) {
        let pieces = bytes.split(separator: UInt8(ascii: ";"), maxSplits: 1, omittingEmptySubsequences: false)
        let word = String(decoding: pieces[0].trimmed(), as: UTF8.self).lowercased()
        return (word, Parameters(pieces.dropFirst().first ?? []))
    }

    /// Returns the lines of a part's header. A line that begins with white space continues the line before (RFC 5322,
    /// 2.2.3).
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

    /// Returns the first position of a pattern in the buffer; nil if it does not occur.
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
