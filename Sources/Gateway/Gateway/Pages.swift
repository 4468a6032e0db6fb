internal import CPages
internal import HTTPTypes
internal import Hashing
internal import Hummingbird

/// The files of `Resources`, which are embedded in the executable.
struct Pages: Sendable {
    struct Page: Sendable {
        let type: String
        let body: ByteBuffer
        /// The strong ETag: a hash of the content.
        let tag: String
    }

    private let pages: [String: Page]

    init() {
        let files = UnsafeBufferPointer(start: bifrons_page_table(), count: bifrons_page_count)
        pages = Dictionary(
            uniqueKeysWithValues: files.map { file in
                let name = String(cString: file.name)
                let bytes = UnsafeRawBufferPointer(start: file.bytes, count: file.count)
                let tag = "\"\(SHA256.hexDigest(of: bytes).prefix(32))\""
                return (name, Page(type: Self.type(of: name), body: ByteBuffer(bytes: bytes), tag: tag))
            })
    }

    /// The names of all files, sorted.
    var names: [String] { pages.keys.sorted() }

    /// Returns a file, or 304 if `tag` is its ETag; nil if there is no file of that name.
    func response(_ name: String, ifNoneMatch tag: String?) -> Response? {
        guard let page = pages[name] else { return nil }
        // Browsers must revalidate each time, so that a page and its scripts come from the same release.
        var headers: HTTPFields = [.cacheControl: "no-cache", .eTag: page.tag]
        if tag == page.tag { return Response(status: .notModified, headers: headers) }
        headers[.contentType] = page.type
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: page.body))
    }

    private static func type(of name: String) -> String {
        switch name.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "json": "application/json"
        case "svg": "image/svg+xml"
        case "png": "image/png"
        case "jpg": "image/jpeg"
        case "ico": "image/x-icon"
        case "webmanifest": "application/manifest+json"
        default: "application/octet-stream"
        }
    }
}
