/// Reads the segments of a JPEG up to its end marker. Those between and behind the scans count too.
struct JPEGContainer {
    private let file: ByteView
    private let effort: Effort
    private var container = Container(.jpeg)
    /// The box instance number of the last manifest store, and the number of its segments.
    private var instance: Int?
    private var segments = 0
    private var extended = ExtendedXMP()
    private var hasEXIF = false

    private static let xmp = "http://ns.adobe.com/xap/1.0/\0"
    private static let extendedXMP = "http://ns.adobe.com/xmp/extension/\0"
    private static let photoshop = "Photoshop 3.0\0"
    /// The bytes before a box's payload in each segment: JP, instance, number, length and type.
    private static let boxHead = 16

    init(_ file: ByteView, _ effort: Effort) {
        self.file = file
        self.effort = effort
    }

    mutating func read() throws(EvidenceError) -> Container {
        var resources: [ByteView] = []
        container.parts.append(.init(name: "SOI", range: 0..<2))
        var offset = 2
        walk: while let found = file.firstOffset(of: 0xFF, from: offset), let marker = file[found + 1] {
            try effort.item()
            offset = found
            switch marker {
            case 0xFF:  // padding
                offset += 1
            case 0x00, 0x01, 0xD0...0xD8:  // no length follows
                offset += 2
            case 0xD9:
                container.parts.append(.init(name: "EOI", range: offset..<offset + 2))
                break walk
            default:
                guard let length = file.uint16(at: offset + 2), length >= 2 else { break walk }
                let end = offset + 2 + length
                guard let segment = file.slice(offset + 4, length - 2) else { break walk }
                try read(segment, marker: marker, range: offset..<end, &resources)
                offset = marker == 0xDA ? try endOfScan(from: end) : end
                if marker == 0xDA, let last = container.parts.indices.last {
                    container.parts[last].range = container.parts[last].range.lowerBound..<offset
                }
            }
        }
        for resource in resources { container.iptc += IPTC.records(inPhotoshop: resource) }
        for packet in container.xmp {
            if let more = try extended.packet(for: packet, effort) {
                container.xmp.append(more)
                break
            }
        }
        return container
    }

    /// Returns the offset of the first marker behind the entropy-coded data.
    private func endOfScan(from start: Int) throws(EvidenceError) -> Int {
        var offset = start
        var stuffed = 0
        while let found = file.firstOffset(of: 0xFF, from: offset) {
            guard let next = file[found + 1] else { return file.count }
            if next != 0, !(0xD0...0xD7).contains(next), next != 0xFF { return found }
            offset = found + (next == 0xFF ? 1 : 2)
            stuffed += 1
            if stuffed % 65_536 == 0 { try effort.checkTime() }
        }
        return file.count
    }

    private mutating func read(
        _ segment: ByteView, marker: UInt8, range: Range<Int>, _ resources: inout [ByteView]
    ) throws(EvidenceError) {
        switch marker {
        case 0xE1:
            try effort.chunk()
            if segment.has("Exif\0\0") {
                if !hasEXIF { container.exif.append(segment.dropping(6)) }  // only the first one counts
                hasEXIF = true
            } else if segment.has(Self.xmp) {
                container.xmp.append(Array(segment.dropping(Self.xmp.utf8.count).buffer))
            } else if segment.has(Self.extendedXMP) {
                extended.add(segment.dropping(Self.extendedXMP.utf8.count))
            }
        case 0xEB:
            try effort.chunk()
            if try readStore(segment, range) { return }
        case 0xED:
            try effort.chunk()
            if segment.has(Self.photoshop) { resources.append(segment.dropping(Self.photoshop.utf8.count)) }
        default:
            break
        }
        container.parts.append(.init(name: Self.name(of: marker), range: range))
    }

    /// Adds a segment to the manifest store that it continues or begins; returns false if it does neither.
    ///
    /// A store begins with a superbox whose identifier begins with `c2pa`. Its segments follow each other with the same
    /// instance number and ascending sequence numbers (ISO/IEC 18477-3, B.2), not necessarily side by side.
    private mutating func readStore(_ segment: ByteView, _ range: Range<Int>) throws(EvidenceError) -> Bool {
        guard segment.has("JP"), segment.count > Self.boxHead, let box = segment.uint16(at: 2),
            let number = segment.uint32(at: 4)
        else { return false }
        if box == instance, let last = container.stores.indices.last, number > segments {
            segments += 1
            container.stores[last].pieces.append(segment.dropping(Self.boxHead))
            let before = container.stores[last].range
            container.stores[last].range = before.lowerBound..<range.upperBound
            if before.upperBound != range.lowerBound { container.stores[last].isInOnePlace = false }
            if let part = container.parts.indices.last, container.parts[part].name == Container.storeName {
                container.parts[part].range = container.parts[part].range.lowerBound..<range.upperBound
            }
            try effort.size(container.stores[last].count, of: "The manifest store")
            return true
        }
        guard segment.has("c2pa", at: 24) else { return false }
        instance = box
        segments = 1
        container.stores.append(.init(pieces: [segment.dropping(8)], range: range))
        container.parts.append(.init(name: Container.storeName, range: range))
        return true
    }

    private static func name(of marker: UInt8) -> String {
        switch marker {
        case 0xC4: "DHT"
        case 0xCC: "DAC"
        case 0xC0...0xCF: "SOF\(marker - 0xC0)"
        case 0xDA: "SOS"
        case 0xDB: "DQT"
        case 0xDD: "DRI"
        case 0xE0...0xEF: "APP\(marker - 0xE0)"
        case 0xF0...0xFD: "JPG\(marker - 0xF0)"
        case 0xFE: "COM"
        default: "unknown"
        }
    }
}

/// The part of an XMP packet that is too long for one JPEG segment (XMP specification, part 3, 1.1.3.1). Each segment
/// holds the MD5 of the whole in 32 hexadecimal digits, its length, and the offset of what follows.
private struct ExtendedXMP {
    private var parts: [ByteView] = []
    private static let head = 40

    mutating func add(_ part: ByteView) {
        if part.count > Self.head { parts.append(part) }
    }

    /// Returns the rest of a packet that names it; nil if that names none, or a part is missing.
    func packet(for main: [UInt8], _ effort: Effort) throws(EvidenceError) -> [UInt8]? {
        guard !parts.isEmpty else { return nil }
        let identifier = try main.withUnsafeBytesThrowing { (bytes) throws(EvidenceError) in
            try XMPPacket(ByteView(buffer: bytes), effort).first(.hasExtendedXMP)
        }
        guard let identifier, identifier.utf8.count == 32 else { return nil }
        let own = parts.filter { $0.has(identifier) }
        guard let length = own.first?.uint32(at: 32) else { return nil }
        try effort.size(length, of: "The XMP packet")
        guard own.reduce(0, { $0 + $1.count - Self.head }) == length else { return nil }
        var whole: [UInt8] = []
        for part in own.sorted(by: { ($0.uint32(at: 36) ?? 0) < ($1.uint32(at: 36) ?? 0) }) {
            guard part.uint32(at: 36) == whole.count else { return nil }
            whole += part.dropping(Self.head).buffer
        }
        return whole
    }
}

extension Array where Element == UInt8 {
    /// Calls a function with the bytes. (The standard function's errors have no type.)
    func withUnsafeBytesThrowing<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try withUnsafeBufferPointer { (bytes) throws(E) in try body(UnsafeRawBufferPointer(bytes)) }
    }
}
