/// How to turn a stored image upright: the values of the EXIF tag 0x0112 (CIPA DC-008, 4.6.4 A).
enum Orientation: Int, CaseIterable, Sendable {
    case upright = 1
    case mirrored
    case rotated180
    case flipped
    case transposed
    /// Stored with its top on the right: turn it clockwise.
    case rotated90
    case transversed
    /// Stored with its top on the left: turn it anticlockwise.
    case rotated270

    /// Whether the stored rows become upright columns.
    var swapsSides: Bool { rawValue >= 5 }

    /// The bytes before the TIFF block in an EXIF segment of a JPEG. Some programs write them in other formats too.
    static let exifPrefix = "Exif\0\0"

    /// Reads the tag from an EXIF block, which may begin with ``exifPrefix``. Anything invalid counts as `.upright`.
    init(exif: Bytes) {
        let skipped = exif.has(Self.exifPrefix) ? Self.exifPrefix.utf8.count : 0
        self.init(tiff: exif.slice(skipped..<exif.count))
    }

    /// Reads the tag from the first directory of a TIFF block. Anything invalid counts as `.upright`, because a broken
    /// label does not make an image unreadable.
    init(tiff: Bytes) {
        self = Self.find(in: tiff) ?? .upright
    }

    private static func find(in tiff: Bytes) -> Orientation? {
        let bigEndian: Bool
        if tiff.has("MM\0*") {
            bigEndian = true
        } else if tiff.has("II*\0") {
            bigEndian = false
        } else {
            return nil
        }
        guard let directory = tiff.uint32(at: 4, bigEndian: bigEndian),
            let entries = tiff.uint16(at: directory, bigEndian: bigEndian)
        else { return nil }
        for entry in 0..<entries {
            let offset = directory + 2 + entry * 12
            guard let tag = tiff.uint16(at: offset, bigEndian: bigEndian) else { return nil }
            guard tag == 0x0112 else { continue }
            guard tiff.uint32(at: offset + 4, bigEndian: bigEndian) == 1 else { return nil }
            let value =
                switch tiff.uint16(at: offset + 2, bigEndian: bigEndian) {
                case 3: tiff.uint16(at: offset + 8, bigEndian: bigEndian)  // SHORT, as the standard requires
                case 4: tiff.uint32(at: offset + 8, bigEndian: bigEndian)  // LONG, as some programs write it
                default: Int?.none
                }
            return value.flatMap(Orientation.init(rawValue:))
        }
        return nil
    }
}
