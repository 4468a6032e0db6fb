/// The metadata that a file's container carries. A marker outside of its place in the container does not count: not
/// behind the end of the image, not in a comment, not in the pixels.
struct Container {
    enum Kind { case jpeg, png, webp, isoMedia }

    /// A C2PA manifest store as it lies in the file.
    struct Store {
        /// Its bytes, one behind the other: more than one piece in a JPEG.
        var pieces: [ByteView]
        /// The bytes of the file from its first to its last piece, with their headers.
        var range: Range<Int>
        /// Whether nothing else lies between its pieces.
        var isInOnePlace = true

        var count: Int { pieces.reduce(0) { $0 + $1.count } }
    }

    /// A chunk of text of a PNG, uncompressed.
    struct Text {
        let keyword: String
        let value: [UInt8]
    }

    let kind: Kind
    var stores: [Store] = []
    var xmp: [[UInt8]] = []
    /// TIFF blocks, without the `Exif` header.
    var exif: [ByteView] = []
    /// IPTC-IIM records, joined in the order of the file.
    var iptc: [UInt8] = []
    var text: [Text] = []
    /// The parts of the file that a general box hash counts, in their order; empty if the format has none.
    var parts: [Part] = []

    /// A segment or chunk as C2PA's general box hash names it.
    struct Part {
        let name: String
        var range: Range<Int>
    }

    /// The name of the part that holds the manifest store.
    static let storeName = "C2PA"

    init(_ kind: Kind) {
        self.kind = kind
    }

    /// Reads the container; nil if the file is of no format that is read here.
    static func read(_ file: ByteView, _ effort: Effort) throws(EvidenceError) -> Container? {
        if file.has([0xFF, 0xD8]) {
            var reader = JPEGContainer(file, effort)
            return try reader.read()
        } else if file.has(PNGContainer.signature) {
            var reader = PNGContainer(file, effort)
            return try reader.read()
        } else if file.has("RIFF"), file.has("WEBP", at: 8) {
            return try readWebP(file, effort)
        } else if file.has("ftyp", at: 4) {
            var reader = ISOMediaContainer(file, effort)
            return try reader.read()
        }
        return nil
    }

    /// Removes the header that some programs write before a TIFF block, as in a JPEG.
    static func tiff(_ block: ByteView) -> ByteView { block.has("Exif\0\0") ? block.dropping(6) : block }

    /// Reads a WebP: chunks of a four-letter name, a little-endian length, and data padded to an even length.
    private static func readWebP(_ file: ByteView, _ effort: Effort) throws(EvidenceError) -> Container {
        var container = Container(.webp)
        let end = min(8 + (file.uint32(at: 4, bigEndian: false) ?? 0), file.count)
        var offset = 12
        while offset + 8 <= end, let length = file.uint32(at: offset + 4, bigEndian: false),
            length <= end - offset - 8, let data = file.slice(offset + 8, length)
        {
            try effort.item()
            let padded = min(offset + 8 + length + length % 2, end)
            if file.has("C2PA", at: offset) {
                try effort.chunk()
                try effort.size(length, of: "The manifest store")
                container.stores.append(Store(pieces: [data], range: offset..<padded))
            } else if file.has("XMP ", at: offset) {
                try effort.chunk()
                try effort.size(length, of: "The XMP packet")
                container.xmp.append(Array(data.buffer))
            } else if file.has("EXIF", at: offset) {
                try effort.chunk()
                container.exif.append(tiff(data))
            }
            offset = padded
        }
        return container
    }
}
