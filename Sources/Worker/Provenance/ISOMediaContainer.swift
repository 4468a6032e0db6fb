/// Reads the boxes of an AVIF or HEIC (ISO/IEC 14496-12 and 23008-12): the manifest store in a `uuid` box, EXIF and XMP
/// in items.
struct ISOMediaContainer {
    private let file: ByteView
    private let effort: Effort
    private var container = Container(.isoMedia)

    private static let store: [UInt8] = [
        0xD8, 0xFE, 0xC3, 0xD6, 0x1B, 0x0E, 0x48, 0x3C, 0x92, 0x97, 0x58, 0x28, 0x87, 0x7E, 0xC4, 0x81,
    ]
    private static let xmp: [UInt8] = [
        0xBE, 0x7A, 0xCF, 0xCB, 0x97, 0xA9, 0x42, 0xE8, 0x9C, 0x71, 0x99, 0x94, 0x91, 0xE3, 0xAF, 0xAC,
    ]

    init(_ file: ByteView, _ effort: Effort) {
        self.file = file
        self.effort = effort
    }

    mutating func read() throws(EvidenceError) -> Container {
        for box in try Self.boxes(file, effort) {
            switch box.type {
            case "uuid": try readUUID(box)
            case "meta": try readMeta(box.payload.dropping(4))
            default: break
            }
        }
        return container
    }

    /// A box of a file or of another box.
    struct Box {
        let type: String
        /// The bytes of the container that it takes, with its header.
        let range: Range<Int>
        let payload: ByteView
    }

    /// Returns the whole boxes that `bytes` consist of.
    static func boxes(_ bytes: ByteView, _ effort: Effort) throws(EvidenceError) -> [Box] {
        var boxes: [Box] = []
        var offset = 0
        while let size = bytes.uint32(at: offset), let type = bytes.slice(offset + 4, 4) {
            try effort.item()
            var (head, length) = (8, size)
            if size == 1 {
                head = 16
                guard let long = bytes.uint64(at: offset + 8) else { break }
                length = long
            } else if size == 0 {  // up to the end
                length = bytes.count - offset
            }
            guard length >= head, let whole = bytes.slice(offset, length) else { break }
            boxes.append(
                Box(
                    type: String(decoding: type.buffer, as: UTF8.self), range: offset..<offset + length,
                    payload: whole.dropping(head)))
            offset += length
        }
        return boxes
    }

    /// Reads a `uuid` box. One of C2PA holds version and flags, the purpose ending with a zero byte, the offset of a
    /// Merkle box, and the manifest store.
    private mutating func readUUID(_ box: Box) throws(EvidenceError) {
        if box.payload.has(Self.store) {
            try effort.chunk()
            guard let end = box.payload.prefix(64).firstOffset(of: 0, from: 20),
                box.payload.slice(20, end - 20)?.equals("manifest") == true
            else { return }
            let store = box.payload.dropping(end + 9)
            try effort.size(store.count, of: "The manifest store")
            container.stores.append(.init(pieces: [store], range: box.range))
        } else if box.payload.has(Self.xmp) {
            try effort.chunk()
            try effort.size(box.payload.count, of: "The XMP packet")
            container.xmp.append(Array(box.payload.dropping(16).buffer))
        }
    }

    /// Reads the items of EXIF and XMP that the `meta` box lists and locates.
    private mutating func readMeta(_ meta: ByteView) throws(EvidenceError) {
        let boxes = try Self.boxes(meta, effort)
        guard let information = boxes.first(where: { $0.type == "iinf" })?.payload,
            let locations = boxes.first(where: { $0.type == "iloc" })?.payload
        else { return }
        var kinds: [Int: String] = [:]
        for entry in try Self.boxes(information.dropping(information[0] == 0 ? 6 : 8), effort)
        where entry.type == "infe" {
            let bytes = entry.payload
            guard let version = bytes[0], version >= 2 else { continue }
            let size = version == 2 ? 2 : 4
            guard let item = bytes.number(at: 4, size: size), let type = bytes.slice(6 + size, 4) else { continue }
            let isXMP = type.equals("mime") && bytes.contains("application/rdf+xml")
            if type.equals("Exif") || isXMP { kinds[item] = isXMP ? "xmp" : "exif" }
        }
        if !kinds.isEmpty { try readItems(kinds, locations) }
    }

    /// Reads the items that lie in one piece in the file (`iloc`, ISO/IEC 14496-12, 8.11.3).
    private mutating func readItems(_ kinds: [Int: String], _ locations: ByteView) throws(EvidenceError) {
        guard let version = locations[0], version <= 2, let sizes = locations.uint16(at: 4) else { return }
        let (offsetSize, lengthSize, baseSize) = (sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15)
        let indexSize = version == 0 ? 0 : sizes & 15
        let idSize = version == 2 ? 4 : 2
        var at = 6
        guard let count = locations.number(at: at, size: idSize) else { return }
        at += idSize
        for _ in 0..<count {
            try effort.item()
            guard let item = locations.number(at: at, size: idSize) else { return }
            at += idSize
            let method = version == 0 ? 0 : locations.uint16(at: at).map { $0 & 15 }
            at += version == 0 ? 2 : 4
            guard let base = locations.number(at: at, size: baseSize),
                let extents = locations.uint16(at: at + baseSize)
            else { return }
            at += baseSize + 2
            for _ in 0..<extents {
                try effort.item()
                guard let offset = locations.number(at: at + indexSize, size: offsetSize),
                    let length = locations.number(at: at + indexSize + offsetSize, size: lengthSize)
                else { return }
                at += indexSize + offsetSize + lengthSize
                guard let kind = kinds[item], extents == 1, method == 0, offset <= file.count, base <= file.count,
                    let data = file.slice(base + offset, length)
                else { continue }
                try add(data, kind)
            }
        }
    }

    private mutating func add(_ data: ByteView, _ kind: String) throws(EvidenceError) {
        try effort.chunk()
        if kind == "xmp" {
            try effort.size(data.count, of: "The XMP packet")
            container.xmp.append(Array(data.buffer))
        } else if let skipped = data.uint32(at: 0) {  // the offset of the TIFF block behind this number
            container.exif.append(Container.tiff(data.dropping(4 + skipped)))
        }
    }
}
