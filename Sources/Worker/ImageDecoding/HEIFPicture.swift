/// The primary image of an AVIF or HEIC file, resolved: its tiles, those of its alpha, its size and its transforms.
struct HEIFPicture {
    /// One coded picture: its data, and the configuration of its decoder (`av1C`, `hvcC`).
    struct Tile {
        let data: [UInt8]
        let configuration: Bytes
        /// The width in pixels that the file declares.
        let width: Int
        /// The height in pixels that the file declares.
        let height: Int
        /// Whether its samples have more than 8 bits.
        let isDeep: Bool
    }

    /// The numbers that say what samples mean (ITU-T H.273).
    struct Codes {
        var primaries: Int
        var transfer: Int
        var matrix: Int
        var isFullRange: Bool
    }

    /// The number of tiles side by side.
    let columns: Int
    /// The width in pixels, before the transforms.
    let width: Int
    /// The height in pixels, before the transforms.
    let height: Int
    let tiles: [HEIFStructure.Item]
    let alphaTiles: [HEIFStructure.Item]
    let isPremultiplied: Bool
    let codes: Codes?
    let profile: ColourProfile?
    /// The part that is shown, in pixels.
    let left: Int
    let top: Int
    let shownWidth: Int
    let shownHeight: Int
    let orientation: Orientation

    /// The types of properties that are understood, or that an image can do without.
    private static let known: Set<String> = [
        "ispe", "colr", "pixi", "pasp", "irot", "imir", "clap", "av1C", "hvcC", "auxC", "clli", "mdcv", "cclv", "amve",
        "rloc", "udes", "altt", "aebr", "afbr", "wbbr", "fobr", "dobr", "cmin", "cmex",
    ]
    private static let alphaNames = [
        "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", "urn:mpeg:hevc:2015:auxid:1",
    ]

    init(_ structure: HEIFStructure, largestProfile: Int) throws(DecodeError) {
        guard let number = structure.primary, let item = structure.items[number] else {
            throw structure.corrupt("its primary image is missing")
        }
        let grid = try HEIFGrid(item, number, structure)
        (columns, width, height, tiles) = (grid.columns, grid.width, grid.height, grid.tiles)
        let alpha = try Self.alpha(of: number, structure)
        if let alpha, let item = structure.items[alpha] {
            let other = try HEIFGrid(item, alpha, structure)
            guard (other.columns, other.width, other.height) == (columns, width, height),
                other.tiles.count == tiles.count
            else { throw .unsupported("\(structure.format.title) has alpha of another shape, which is not read.") }
            alphaTiles = other.tiles
            isPremultiplied = structure.targets(of: number, "prem").contains(alpha)
        } else {
            (alphaTiles, isPremultiplied) = ([], false)
        }
        var colours = HEIFColours()
        var transforms = HEIFTransforms(width: grid.width, height: grid.height)
        for property in try Self.understood(item, structure) {
            try transforms.apply(property, structure)
            colours.read(property, largestProfile)
        }
        if colours.codes == nil, let tile = grid.tiles.first {
            for property in try structure.properties("colr", of: tile) { colours.read(property, largestProfile) }
        }
        (codes, profile) = (colours.codes, colours.profile)
        (left, top, shownWidth, shownHeight) = (transforms.left, transforms.top, transforms.width, transforms.height)
        orientation = transforms.orientation
    }

    /// Returns the item that holds the alpha of another; nil if none does.
    private static func alpha(of number: Int, _ structure: HEIFStructure) throws(DecodeError) -> Int? {
        for reference in structure.references where reference.type == "auxl" && reference.to.contains(number) {
            guard let item = structure.items[reference.from], let box = try structure.property("auxC", of: item) else {
                continue
            }
            if alphaNames.contains(where: { box.data.has($0, at: 4) }) { return reference.from }
        }
        return nil
    }

    /// Returns the properties of an item.
    ///
    /// - Throws: ``DecodeError`` if one is missing, or one that the image cannot do without is not understood.
    private static func understood(
        _ item: HEIFStructure.Item, _ structure: HEIFStructure
    ) throws(DecodeError) -> [HEIFBoxes.Box] {
        var found: [HEIFBoxes.Box] = []
        for (index, isEssential) in item.properties {
            guard structure.properties.indices.contains(index) else {
                throw structure.corrupt("its primary image has a property that is missing")
            }
            let property = structure.properties[index]
            guard !isEssential || known.contains(property.type) else {
                throw .unsupported(
                    "\(structure.format.title) has an essential property that is not read, number \(index + 1).")
            }
            found.append(property)
        }
        return found
    }
}

extension HEIFStructure {
    /// Returns the properties of an item that have a type.
    func properties(_ type: String, of item: Item) throws(DecodeError) -> [HEIFBoxes.Box] {
        var found: [HEIFBoxes.Box] = []
        for (index, _) in item.properties {
            guard properties.indices.contains(index) else { throw corrupt("an image has a property that is missing") }
            if properties[index].type == type { found.append(properties[index]) }
        }
        return found
    }

    /// Returns the first property of an item that has a type; nil if none has.
    func property(_ type: String, of item: Item) throws(DecodeError) -> HEIFBoxes.Box? {
        try properties(type, of: item).first
    }

    /// Returns the width and height that an item declares.
    func size(of item: Item) throws(DecodeError) -> (width: Int, height: Int) {
        guard let box = try property("ispe", of: item), let width = box.data.uint32(at: 4),
            let height = box.data.uint32(at: 8)
        else { throw corrupt("an image does not declare its size") }
        return (width, height)
    }

    /// Returns the coded picture of an item.
    func tile(_ item: Item) throws(DecodeError) -> HEIFPicture.Tile {
        let size = try size(of: item)
        guard let configuration = try property(item.type == "av01" ? "av1C" : "hvcC", of: item) else {
            throw corrupt("an image lacks the configuration of its decoder")
        }
        let isDeep =
            item.type == "av01" ? (configuration.data[2] ?? 0) & 0x40 != 0 : (configuration.data[17] ?? 0) & 7 != 0
        return HEIFPicture.Tile(
            data: try data(of: item), configuration: configuration.data, width: size.width, height: size.height,
            isDeep: isDeep)
    }
}

/// An image as the tiles that it consists of, row by row: a single one, or those of a grid (ISO/IEC 23008-12, 6.6.2.3).
private struct HEIFGrid {
    var columns = 1
    var width: Int
    var height: Int
    var tiles: [HEIFStructure.Item]

    init(_ item: HEIFStructure.Item, _ number: Int, _ structure: HEIFStructure) throws(DecodeError) {
        switch item.type {
        case "av01", "hvc1":
            tiles = [item]
            (width, height) = try structure.size(of: item)
        case "grid":
            let data = try structure.data(of: item)
            let size = data.count > 1 && data[1] & 1 == 1 ? 4 : 2
            guard data.count >= 4 + 2 * size else { throw structure.corrupt("its grid has only \(data.count) bytes") }
            let (rows, across) = (Int(data[2]) + 1, Int(data[3]) + 1)
            func value(at offset: Int) -> Int { data[offset..<offset + size].reduce(0) { $0 << 8 | Int($1) } }
            (width, height) = (value(at: 4), value(at: 4 + size))
            columns = across
            tiles = []
            for tile in structure.targets(of: number, "dimg") {
                guard let item = structure.items[tile], ["av01", "hvc1"].contains(item.type) else {
                    throw structure.corrupt("a tile of its grid is missing")
                }
                tiles.append(item)
            }
            guard tiles.count == rows * across else {
                throw structure.corrupt("its grid has \(tiles.count) of \(rows * across) tiles")
            }
        default:
            throw .unsupported("\(structure.format.title) has a primary image of a kind that is not read.")
        }
    }
}

/// What the `colr` boxes of an image say.
private struct HEIFColours {
    var codes: HEIFPicture.Codes?
    var profile: ColourProfile?

    mutating func read(_ property: HEIFBoxes.Box, _ largestProfile: Int) {
        guard property.type == "colr" else { return }
        let data = property.data
        if data.has("nclx"), codes == nil, let primaries = data.uint16(at: 4), let transfer = data.uint16(at: 6),
            let matrix = data.uint16(at: 8), let range = data[10]
        {
            codes = HEIFPicture.Codes(
                primaries: primaries, transfer: transfer, matrix: matrix, isFullRange: range & 0x80 != 0)
        } else if data.has("prof") || data.has("rICC"), profile == nil, data.count - 4 <= largestProfile {
            profile = ColourProfile(embedded: data.slice(4..<data.count))
        }
    }
}

/// The transforms of an image, in the order of its properties: the part that is shown, and how it is turned.
private struct HEIFTransforms {
    var left = 0
    var top = 0
    var width: Int
    var height: Int
    /// A mirroring of left and right, and quarters clockwise after it.
    private var isMirrored = false
    private var quarters = 0

    init(width: Int, height: Int) {
        (self.width, self.height) = (width, height)
    }

    var orientation: Orientation {
        let turns: [Orientation] =
            isMirrored
            ? [.mirrored, .transversed, .flipped, .transposed] : [.upright, .rotated90, .rotated180, .rotated270]
        return turns[quarters]
    }

    mutating func apply(_ property: HEIFBoxes.Box, _ structure: HEIFStructure) throws(DecodeError) {
        switch property.type {
        case "irot":  // quarters anticlockwise
            quarters = (quarters + 4 - Int(property.data[0] ?? 0) & 3) & 3
        case "imir":  // 0 exchanges top and bottom, 1 left and right
            let isVertical = (property.data[0] ?? 0) & 1 == 0
            quarters = ((isVertical ? 2 : 0) + 4 - quarters) & 3
            isMirrored.toggle()
        case "clap":
            guard quarters == 0, !isMirrored else {
                throw .unsupported(
                    "\(structure.format.title) is cropped behind its other transforms, which is not read.")
            }
            var numbers = HEIFNumbers(property.data, structure.format)
            var values: [(Int, Int)] = []
            for _ in 0..<4 {
                let (n, d) = (try numbers.read(4), try numbers.read(4))
                values.append((Int(Int32(truncatingIfNeeded: n)), d))
            }
            try crop(values, structure)
        default: break
        }
    }

    /// Crops to a clean aperture (ISO/IEC 14496-12, 12.1.4): width, height, and the offsets of its middle, each a fraction.
    private mutating func crop(_ values: [(Int, Int)], _ structure: HEIFStructure) throws(DecodeError) {
        func part(_ size: (Int, Int), _ middle: (Int, Int), of side: Int) -> Range<Int>? {
            guard size.1 > 0, middle.1 > 0, size.0 % size.1 == 0 else { return nil }
            let length = size.0 / size.1
            // The beginning is (side - length) / 2 + middle.
            let (doubled, rest) = (2 * middle.0).quotientAndRemainder(dividingBy: middle.1)
            guard rest == 0, (side - length + doubled) % 2 == 0 else { return nil }
            let start = (side - length + doubled) / 2
            return length > 0 && start >= 0 && start + length <= side ? start..<start + length : nil
        }
        guard let across = part(values[0], values[2], of: width), let down = part(values[1], values[3], of: height)
        else {
            throw structure.corrupt("its crop is not within its image, or not of whole pixels")
        }
        (left, top) = (left + across.lowerBound, top + down.lowerBound)
        (width, height) = (across.count, down.count)
    }
}
