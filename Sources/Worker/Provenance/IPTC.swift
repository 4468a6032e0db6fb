/// Records of IPTC-IIM 4.2, as Photoshop's resources in a JPEG hold them.
enum IPTC {
    /// A field of the application record (record 2).
    enum Field: UInt8 {
        case originatingProgram = 65
        case credit = 110
        case source = 115
        case caption = 120
    }

    private static let record: UInt8 = 2
    private static let resource = 0x0404

    /// Returns the IPTC records among the resources of an APP13 segment: `8BIM`, the identifier, a name with its length
    /// padded to an even number of bytes, the length of the data, and the data, padded too.
    static func records(inPhotoshop bytes: ByteView) -> [UInt8] {
        var records: [UInt8] = []
        var offset = 0
        while bytes.has("8BIM", at: offset), let identifier = bytes.uint16(at: offset + 4),
            let name = bytes[offset + 6]
        {
            let size = offset + 6 + (Int(name) + 2) / 2 * 2
            guard let length = bytes.uint32(at: size), let data = bytes.slice(size + 4, length) else { break }
            if identifier == resource { records += data.buffer }
            offset = size + 4 + length + length % 2
        }
        return records
    }

    /// Returns the values of the fields that are of interest: each begins with 0x1C, the record, the field and the
    /// length.
    static func fields(_ bytes: ByteView, _ effort: Effort) throws(EvidenceError) -> [(field: Field, value: String)] {
        var fields: [(Field, String)] = []
        var offset = 0
        while bytes[offset] == 0x1C, let number = bytes[offset + 1], let name = bytes[offset + 2],
            let length = bytes.uint16(at: offset + 3), let value = bytes.slice(offset + 5, length)
        {
            try effort.item()
            if number == record, let field = Field(rawValue: name) { fields.append((field, value.text)) }
            offset += 5 + length
        }
        return fields
    }
}
