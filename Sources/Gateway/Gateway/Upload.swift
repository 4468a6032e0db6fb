internal import FormData
internal import HTTPTypes
internal import Hummingbird

/// The files and the other form fields that a client has uploaded.
struct Upload: Sendable {
    struct File: Sendable {
        /// The name of the form field; empty if the body was the file itself.
        var name: String
        /// The file name; nil if the body was the file itself, or if the form gives none.
        var fileName: String?
        var bytes: [UInt8] = []
    }

    var files: [File] = []
    var fields: [(name: String, text: String)] = []
    /// Whether the body was a form.
    var isForm = false
}

/// Collects an upload as it arrives, and refuses it at the first byte over a limit.
struct UploadReader: ~Copyable {
    /// The most bytes of all form fields that are not files.
    private static let maxFieldBytes = 65_536

    private let limits: EdgeLimits
    private let largestFile: Int
    private var reserved = 0
    private var fieldBytes = 0
    private var upload = Upload()
    /// The form fields that are not files. `isField` says whether the part that is arriving is the last of them.
    private var fields: [(name: String, bytes: [UInt8])] = []
    private var isField = false

    /// - Parameter largestFile: the most bytes that a file may have.
    init(limits: EdgeLimits, largestFile: Int) {
        self.limits = limits
        self.largestFile = largestFile
    }

    deinit { limits.release(reserved) }

    /// Reads the body of a request. Its bytes count towards the limits for the lifetime of the reader.
    /// - Throws: ``Problem``, and the errors of the connection.
    mutating func read(_ request: Request) async throws -> Upload {
        let type = request.headers[.contentType] ?? ""
        let length = request.headers[.contentLength].flatMap { Int($0) }
        var form: FormParser?
        do {
            form = try FormParser(contentType: type)
        } catch {
            throw Self.malformed(error)
        }
        if form == nil {
            guard Self.isFile(type) else {
                throw Problem(
                    .unsupportedMediaType, code: "content_type_unknown",
                    "the Content-Type is '\(type.prefix(64))'; send the file itself as image/jpeg, image/png, "
                        + "image/webp, image/gif, image/avif, image/heic or application/octet-stream, or a form as multipart/form-data"
                )
            }
            if let length, length > largestFile { throw tooLarge }
        }
        upload.isForm = form != nil
        if form == nil {
            upload.files = [Upload.File(name: "")]
            upload.files[0].bytes.reserveCapacity(length ?? 0)
        }
        for try await buffer in request.body {
            guard form != nil else {
                try append(buffer.readableBytesView)
                continue
            }
            let events: [FormParser.Event]
            do {
                events = try form!.feed(buffer.readableBytesView)
            } catch {
                throw Self.malformed(error)
            }
            for event in events { try take(event) }
        }
        if let form, !form.isComplete { throw Self.malformed(.init("ends before its last boundary")) }
        upload.fields = try fields.map { name, bytes in
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw Self.malformed(.init("has a field '\(name.prefix(64))' that is not UTF-8"))
            }
            return (name, text)
        }
        return upload
    }

    private mutating func take(_ event: FormParser.Event) throws(Problem) {
        switch event {
        case .part(let heading):
            isField = !heading.isFile
            if isField {
                fields.append((heading.name, []))
            } else {
                upload.files.append(Upload.File(name: heading.name, fileName: heading.fileName))
            }
        case .content(let bytes) where isField: try appendToField(bytes)
        case .content(let bytes): try append(bytes)
        case .end: break
        }
    }

    /// Whether a body of a content type is a file: any image type (the content tells which), arbitrary bytes, or no
    /// type at all. Storage services send files as `binary/octet-stream`.
    private static func isFile(_ contentType: String) -> Bool {
        let type = contentType.prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
        return type.isEmpty || type.hasPrefix("image/") || type == "application/octet-stream"
            || type == "binary/octet-stream"
    }

    /// The most bytes from which ``isFile(beginning:)`` tells a file.
    private static let signatureBytes = 12

    /// Whether a part without a file name is a file nevertheless: its first byte cannot begin UTF-8 text, as in JPEG and
    /// PNG, or it begins with the signature of a GIF or a WebP. Some clients send a file name only on request.
    ///
    /// A text may begin like a GIF or a WebP. But the sizes that come next, lowest byte first, would be larger than any
    /// image that is taken if there were letters in their place: 8224 pixels a side or half a gigabyte.
    private static func isFile(beginning bytes: [UInt8]) -> Bool {
        guard let first = bytes.first else { return false }
        if (0x80...0xC1).contains(first) || first >= 0xF5 { return true }
        func isNoLetter(_ index: Int) -> Bool { bytes.count > index && bytes[index] < UInt8(ascii: " ") }
        let isGIF = bytes.starts(with: "GIF87a".utf8) || bytes.starts(with: "GIF89a".utf8)
        if isGIF { return isNoLetter(7) || isNoLetter(9) }
        return bytes.starts(with: "RIFF".utf8) && bytes.dropFirst(8).starts(with: "WEBP".utf8) && isNoLetter(7)
    }

    private mutating func append(_ bytes: some Collection<UInt8>) throws(Problem) {
        let last = upload.files.count - 1
        guard upload.files[last].bytes.count + bytes.count <= largestFile else { throw tooLarge }
        try limits.reserve(bytes.count)
        reserved += bytes.count
        upload.files[last].bytes.append(contentsOf: bytes)
    }

    /// Appends to the last field, which becomes a file if its first bytes are those of one. They may arrive one by one.
    private mutating func appendToField(_ bytes: [UInt8]) throws(Problem) {
        let last = fields.count - 1
        if fields[last].bytes.count < Self.signatureBytes {
            let start = fields[last].bytes + bytes.prefix(Self.signatureBytes)
            if Self.isFile(beginning: start) {
                let field = fields.removeLast()
                isField = false
                fieldBytes -= field.bytes.count
                upload.files.append(Upload.File(name: field.name))
                try append(field.bytes + bytes)
                return
            }
        }
        fieldBytes += bytes.count
        guard fieldBytes <= Self.maxFieldBytes else {
            throw Self.malformed(.init("has more than \(Self.maxFieldBytes) bytes of fields that are no files"))
        }
        fields[last].bytes += bytes
    }

    private var tooLarge: Problem {
        Problem(
            .contentTooLarge, code: "image_too_large",
            "the image has more than \(largestFile) bytes; at most \(largestFile) are taken")
    }

    private static func malformed(_ error: FormParser.FormError) -> Problem {
        Problem(.badRequest, code: "malformed_form", "the form \(error.what)")
    }
}
