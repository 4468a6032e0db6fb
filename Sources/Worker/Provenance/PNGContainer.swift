import CZlib

/// Reads the chunks of a PNG up to its end chunk. Checksums are not checked: no program that shows metadata does.
struct PNGContainer {
    private let file: ByteView
    private let effort: Effort
    private var container = Container(.png)

    static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    /// The bytes of a chunk besides its data: length, type and checksum.
    private static let frame = 12
    private static let xmp = "XML:com.adobe.xmp"
    /// The most bytes of a keyword.
    private static let longestKeyword = 79
    /// The bytes of a text that are kept, except of XMP. What tells a generator stands at the beginning.
    private static let keptText = 1 << 16

    init(_ file: ByteView, _ effort: Effort) {
        self.file = file
        self.effort = effort
    }

    mutating func read() throws(EvidenceError) -> Container {
        container.parts.append(.init(name: "PNGh", range: 0..<Self.signature.count))
        var offset = Self.signature.count
        while let length = file.uint32(at: offset), let type = file.slice(offset + 4, 4),
            let data = file.slice(offset + 8, length), file.count - offset >= length + Self.frame
        {
            try effort.item()
            let end = offset + length + Self.frame
            try read(String(decoding: type.buffer, as: UTF8.self), data, offset..<end)
            offset = end
            if type.equals("IEND") { break }
        }
        return container
    }

    private mutating func read(_ type: String, _ data: ByteView, _ range: Range<Int>) throws(EvidenceError) {
        container.parts.append(.init(name: type == "caBX" ? Container.storeName : type, range: range))
        guard ["caBX", "eXIf", "tEXt", "zTXt", "iTXt"].contains(type) else { return }
        try effort.chunk()
        switch type {
        case "caBX":
            try effort.size(data.count, of: "The manifest store")
            container.stores.append(.init(pieces: [data], range: range))
        case "eXIf":
            container.exif.append(Container.tiff(data))
        default:
            guard let length = data.prefix(Self.longestKeyword + 1).firstOffset(of: 0), length > 0 else { return }
            let keyword = data.prefix(length).text
            guard let value = try value(type, data.dropping(length + 1)) else { return }
            if keyword == Self.xmp {
                container.xmp.append(value)
            } else {
                container.text.append(.init(keyword: keyword, value: Array(value.prefix(Self.keptText))))
            }
        }
    }

    /// Returns the text behind a keyword (PNG third edition, 11.3.3); nil if it is damaged.
    private func value(_ type: String, _ data: ByteView) throws(EvidenceError) -> [UInt8]? {
        switch type {
        case "zTXt":
            return data[0] == 0 ? try inflated(data.dropping(1)) : nil
        case "iTXt":
            guard let flag = data[0], data[1] == 0, let language = data.firstOffset(of: 0, from: 2),
                let translation = data.firstOffset(of: 0, from: language + 1)
            else { return nil }
            let rest = data.dropping(translation + 1)
            return flag == 1 ? try inflated(rest) : Array(rest.buffer)
        default:
            return Array(data.buffer)
        }
    }

    private func inflated(_ stream: ByteView) throws(EvidenceError) -> [UInt8]? {
        guard let start = stream.buffer.baseAddress, stream.count > 0 else { return nil }
        var outcome = 0
        let text = [UInt8](unsafeUninitializedCapacity: effort.limits.inflated) { out, count in
            if let room = out.baseAddress {
                outcome = bifrons_inflate(
                    start.assumingMemoryBound(to: UInt8.self), stream.count, room, effort.limits.inflated)
            }
            count = max(outcome, 0)
        }
        try effort.checkTime()
        guard outcome != -2 else {
            throw EvidenceError(
                message: "A compressed text of the PNG has more than \(effort.limits.inflated) bytes, the limit.")
        }
        return outcome < 0 ? nil : text
    }
}
