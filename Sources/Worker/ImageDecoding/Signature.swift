import Hexadecimal

/// The format of a file, recognised by its first bytes.
enum Signature: Hashable {
    case read(ImageFormat)
    /// An unsupported format, by its name for messages.
    case notRead(String)

    init(_ bytes: Bytes) {
        if bytes.has([0xFF, 0xD8]) {
            self = .read(.jpeg)
        } else if bytes.has(PNGStructure.signature.prefix(4)) {
            self = .read(.png)
        } else if bytes.has("RIFF"), bytes.has("WEBP", at: 8) {
            self = .read(.webp)
        } else if bytes.has("GIF87a") || bytes.has("GIF89a") {
            self = .read(.gif)
        } else if bytes.has("ftyp", at: 4), let format = Self.heif(bytes) {
            self = .read(format)
        } else {
            self = .notRead(Self.name(bytes))
        }
    }

    /// Formats that begin with fixed bytes. A longer prefix comes before any shorter one that it begins with.
    private static let magic: [(String, [UInt8])] = [
        ("a PDF", Array("%PDF-".utf8)),
        ("a JPEG XR", [0x49, 0x49, 0xBC]),
        ("a TIFF", Array("II*\0".utf8)),
        ("a TIFF", Array("MM\0*".utf8)),
        ("a BigTIFF", Array("II+\0".utf8)),
        ("a BigTIFF", Array("MM\0+".utf8)),
        ("a JPEG XL", [0xFF, 0x0A]),
        ("a JPEG XL", [0x00, 0x00, 0x00, 0x0C] + Array("JXL ".utf8)),
        ("a JPEG 2000", [0x00, 0x00, 0x00, 0x0C] + Array("jP  ".utf8)),
        ("a JPEG 2000", [0xFF, 0x4F, 0xFF, 0x51]),
        ("a Windows icon (ICO)", [0x00, 0x00, 0x01, 0x00]),
        ("a Windows cursor (CUR)", [0x00, 0x00, 0x02, 0x00]),
        ("an MNG", [0x8A, 0x4D, 0x4E, 0x47]),
        ("a JNG", [0x8B, 0x4A, 0x4E, 0x47]),
        ("a Photoshop file (PSD)", Array("8BPS".utf8)),
        ("a GIMP file (XCF)", Array("gimp xcf".utf8)),
        ("a QOI", Array("qoif".utf8)),
        ("an OpenEXR", [0x76, 0x2F, 0x31, 0x01]),
        ("a Radiance image (HDR)", Array("#?RADIANCE".utf8)),
        ("a DirectDraw surface (DDS)", Array("DDS ".utf8)),
        ("a FITS", Array("SIMPLE  =".utf8)),
        ("a PostScript file", Array("%!PS".utf8)),
        ("a ZIP", Array("PK\u{3}\u{4}".utf8)),
        ("a ZIP", Array("PK\u{5}\u{6}".utf8)),
        ("a gzip file", [0x1F, 0x8B]),
        ("a Zstandard file", [0x28, 0xB5, 0x2F, 0xFD]),
        ("an XZ file", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]),
        ("a 7-Zip file", [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]),
        ("a RAR", Array("Rar!".utf8)),
        ("a WebM or Matroska video", [0x1A, 0x45, 0xDF, 0xA3]),
        ("an Ogg file", Array("OggS".utf8)),
        ("an MP3", Array("ID3".utf8)),
        ("a program (ELF)", Array("\u{7F}ELF".utf8)),
        ("a NumPy array", [0x93] + Array("NUMPY".utf8)),
        ("a JPEG in base64, not its bytes", Array("/9j/".utf8)),
        ("a PNG in base64, not its bytes", Array("iVBORw0KGgo".utf8)),
        ("a data URL, not the bytes it stands for", Array("data:".utf8)),
    ]

    /// The brands of ISO base media files (ISO 14496-12, `ftyp`) whose images are read.
    private static let images: [String: ImageFormat] = [
        "avif": .avif, "avis": .avif, "heic": .heic, "heix": .heic, "heim": .heic, "heis": .heic, "hevc": .heic,
        "hevx": .heic,
    ]

    /// Further brands and their names. Files of other brands count as MP4 videos.
    private static let brands = [
        "mif1": "a HEIF", "msf1": "a HEIF", "crx ": "a Canon raw file (CR3)", "qt  ": "a QuickTime video",
    ]

    private static func name(_ bytes: Bytes) -> String {
        if bytes.count == 0 { return "nothing, an empty file" }
        if let found = magic.first(where: { bytes.has($0.1) }) { return found.0 }
        if bytes.has("ftyp", at: 4) { return isoMedia(bytes) }
        if bytes.has("RIFF") { return bytes.has("AVI ", at: 8) ? "an AVI video" : "a RIFF file" }
        // Two letters are too weak a signature, so the pixel offset must be plausible for a BMP too.
        if bytes.has("BM"), let offset = bytes.uint32(at: 10, bigEndian: false), (26...2048).contains(offset) {
            return "a BMP"
        }
        if let digit = bytes[1], bytes.has("P"), (0x31...0x37).contains(digit), bytes[2].map(isSpace) == true {
            return "a Netpbm image"
        }
        return text(bytes) ?? "of no format that is known here; it begins with \(digits(bytes.slice(0..<8)))"
    }

    /// Returns the format by the first brand that has one, the major brand or a compatible one; nil if none has, or the
    /// major brand is another known one.
    private static func heif(_ bytes: Bytes) -> ImageFormat? {
        let found = isoBrands(bytes)
        guard let first = found.first, images[first] != nil || ["mif1", "msf1"].contains(first) else { return nil }
        return found.lazy.compactMap { images[$0] }.first
    }

    /// Returns the name for the first brand that has one.
    private static func isoMedia(_ bytes: Bytes) -> String {
        isoBrands(bytes).lazy.compactMap { brands[$0] }.first ?? "an MP4 video"
    }

    /// Returns the major brand and the compatible ones.
    private static func isoBrands(_ bytes: Bytes) -> [String] {
        let end = min(bytes.uint32(at: 0) ?? 0, bytes.count, 256)
        return ([8] + Array(stride(from: 16, to: end - 3, by: 4))).map { offset in
            String(decoding: bytes.slice(offset..<offset + 4).buffer, as: UTF8.self)
        }
    }

    /// Returns a name for the apparent kind of text; nil if the first bytes are not text.
    private static func text(_ bytes: Bytes) -> String? {
        let start = bytes.slice(0..<1024).buffer
        guard start.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || isSpace($0) }) else { return nil }
        let scalars = String(decoding: start, as: UTF8.self).unicodeScalars
        // The end of these bytes may cut a character in two.
        guard !scalars.dropLast(bytes.count > start.count ? 3 : 0).contains("\u{FFFD}") else { return nil }
        let lowercased = String(scalars).drop { $0.isWhitespace || $0 == "\u{FEFF}" }.lowercased()
        if lowercased.contains("<svg") { return "an SVG" }
        if lowercased.hasPrefix("<!doctype html") || lowercased.hasPrefix("<html") { return "an HTML page" }
        if lowercased.hasPrefix("<?xml") { return "XML" }
        if lowercased.hasPrefix("{") || lowercased.hasPrefix("[") { return "text, perhaps JSON" }
        return "text"
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func digits(_ bytes: Bytes) -> String {
        bytes.buffer.map { [$0].hexadecimal.uppercased() }.joined(separator: " ")
    }
}
