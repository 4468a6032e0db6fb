/// The items of an AVIF or HEIC file and what is said of them (ISO/IEC 23008-12), read before any decoder reads a byte.
struct HEIFStructure {
    struct Item {
        var type = ""
        /// Where its data is: parts of the file or of the data beside the items.
        var extents: [Range<Int>] = []
        var isInItemData = false
        /// The properties that it has, by their number from 0.
        var properties: [(index: Int, isEssential: Bool)] = []
    }

    /// A relation of an item to others, such as `dimg` of a grid to its tiles.
    struct Reference {
        let type: String
        let from: Int
        let to: [Int]
    }

    let format: ImageFormat
    let file: Bytes
    private(set) var items: [Int: Item] = [:]
    private(set) var properties: [HEIFBoxes.Box] = []
    private(set) var references: [Reference] = []
    private(set) var primary: Int?
    /// Whether there is a sequence of images besides the one that stands for the file.
    private(set) var isAnimated = false
    private var itemData: HEIFBoxes.Box?

    /// The most items, properties, or parts of an item's data that are read. A photograph in tiles has a few hundred.
    private static let mostItems = 10_000
    private static let mostExtents = 32

    init(_ file: Bytes, _ format: ImageFormat) throws(DecodeError) {
        self.format = format
        self.file = file
        var boxes = HEIFBoxes(file, 0..<file.count, format)
        var meta: HEIFBoxes.Box?
        while let box = try boxes.next() {
            if box.type == "meta", meta == nil { meta = box }
            if box.type == "moov" { isAnimated = true }
        }
        guard let meta else {
            if isAnimated {
                throw .unsupported("\(format.title) is a sequence without an image of its own, which is not read.")
            }
            throw .truncated("\(format.title) data ends after \(file.count) bytes, without a list of its images.")
        }
        try readItems(meta)
        guard primary != nil else { throw corrupt("it names no primary image") }
    }

    func corrupt(_ what: String) -> DecodeError { .corrupt("\(format.title) is corrupt: \(what).") }

    /// Returns the data of an item.
    ///
    /// - Throws: ``DecodeError`` if it is not in the file.
    func data(of item: Item) throws(DecodeError) -> [UInt8] {
        let place = item.isInItemData ? itemData?.data : file
        guard let place, !item.extents.isEmpty else { throw corrupt("an image has no data") }
        var data: [UInt8] = []
        for extent in item.extents {
            guard extent.upperBound <= place.count else {
                if item.isInItemData { throw corrupt("the data of an image is beyond the box that holds it") }
                throw .truncated(
                    "\(format.title) data ends after \(file.count) of at least \(extent.upperBound) bytes.")
            }
            data += place.slice(extent).buffer
            guard data.count <= file.count else { throw corrupt("an image has more data than the file") }
        }
        return data
    }

    /// Returns the items that an item refers to, in their order.
    func targets(of item: Int, _ type: String) -> [Int] {
        references.filter { $0.from == item && $0.type == type }.flatMap(\.to)
    }

    private mutating func readItems(_ meta: HEIFBoxes.Box) throws(DecodeError) {
        var boxes = HEIFBoxes(in: meta, from: 4, of: file, format)
        while let box = try boxes.next() {
            var numbers = HEIFNumbers(box.data, format)
            switch box.type {
            case "pitm": primary = try numbers.read(numbers.read(4) >> 24 == 0 ? 2 : 4)
            case "iinf": try readTypes(box)
            case "iloc": try readPlaces(&numbers)
            case "idat": itemData = box
            case "iref": try readReferences(box)
            case "iprp":
                var parts = HEIFBoxes(in: box, from: 0, of: file, format)
                while let part = try parts.next() {
                    if part.type == "ipco" { try readProperties(part) }
                    if part.type == "ipma" { try readAssociations(part) }
                }
            default: break
            }
        }
    }

    /// Lets an item be changed, within the limit on their number.
    private mutating func change(_ item: Int, _ change: (inout Item) -> Void) throws(DecodeError) {
        change(&items[item, default: Item()])
        let properties = items[item]?.properties.count ?? 0
        guard items.count <= Self.mostItems, properties <= Self.mostItems else { throw tooComplex }
    }

    private var tooComplex: DecodeError {
        .tooComplex("\(format.title) has more than \(Self.mostItems) parts: save it with fewer.")
    }

    private mutating func readTypes(_ box: HEIFBoxes.Box) throws(DecodeError) {
        var entries = HEIFBoxes(in: box, from: box.data[0] == 0 ? 6 : 8, of: file, format)
        while let entry = try entries.next() {
            guard entry.type == "infe", let version = entry.data[0], version >= 2 else { continue }
            var numbers = HEIFNumbers(entry.data, from: 4, format)
            let item = try numbers.read(version == 2 ? 2 : 4)
            let start = version == 2 ? 8 : 10  // behind the number and the protection
            let type = String(decoding: entry.data.slice(start..<start + 4).buffer, as: UTF8.self)
            try change(item) { $0.type = type }
        }
    }

    private mutating func readPlaces(_ numbers: inout HEIFNumbers) throws(DecodeError) {
        let version = try numbers.read(4) >> 24
        let sizes = try numbers.read(2)
        let (offsetSize, lengthSize, baseSize) = (sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15)
        let indexSize = version == 0 ? 0 : sizes & 15
        guard [offsetSize, lengthSize, baseSize, indexSize].allSatisfy({ [0, 4, 8].contains($0) }) else {
            throw corrupt("the places of its images have numbers of an odd size")
        }
        for _ in 0..<(try numbers.read(version < 2 ? 2 : 4)) {
            let item = try numbers.read(version < 2 ? 2 : 4)
            let method = version == 0 ? 0 : try numbers.read(2) & 15
            let isElsewhere = try numbers.read(2) != 0 || method > 1
            let base = try numbers.read(baseSize)
            let count = try numbers.read(2)
            guard count <= Self.mostExtents else { throw tooComplex }
            var extents: [Range<Int>] = []
            for _ in 0..<count {
                _ = try numbers.read(indexSize)
                let (offset, length) = (try numbers.read(offsetSize), try numbers.read(lengthSize))
                let (start, isFar) = base.addingReportingOverflow(offset)
                let (end, isLong) = start.addingReportingOverflow(length)
                guard !isFar, !isLong else { throw corrupt("the data of an image is beyond the file") }
                extents.append(start..<end)
            }
            // Data in other files counts as missing.
            try change(item) {
                $0.extents = isElsewhere ? [] : extents
                $0.isInItemData = method == 1
            }
        }
    }

    private mutating func readReferences(_ box: HEIFBoxes.Box) throws(DecodeError) {
        let size = box.data[0] == 0 ? 2 : 4
        var boxes = HEIFBoxes(in: box, from: 4, of: file, format)
        while let part = try boxes.next() {
            var numbers = HEIFNumbers(part.data, format)
            let from = try numbers.read(size)
            var to: [Int] = []
            for _ in 0..<(try numbers.read(2)) { to.append(try numbers.read(size)) }
            references.append(Reference(type: part.type, from: from, to: to))
            guard references.count <= Self.mostItems else { throw tooComplex }
        }
    }

    private mutating func readProperties(_ box: HEIFBoxes.Box) throws(DecodeError) {
        var boxes = HEIFBoxes(in: box, from: 0, of: file, format)
        while let property = try boxes.next() {
            properties.append(property)
            guard properties.count <= Self.mostItems else { throw tooComplex }
        }
    }

    private mutating func readAssociations(_ box: HEIFBoxes.Box) throws(DecodeError) {
        var numbers = HEIFNumbers(box.data, format)
        let kind = try numbers.read(4)
        let isWide = kind & 1 == 1
        for _ in 0..<(try numbers.read(4)) {
            let item = try numbers.read(kind >> 24 == 0 ? 2 : 4)
            var found: [(index: Int, isEssential: Bool)] = []
            for _ in 0..<(try numbers.read(1)) {
                let number = try numbers.read(isWide ? 2 : 1)
                let essential = isWide ? 0x8000 : 0x80
                let index = number & (essential - 1)
                if index > 0 { found.append((index - 1, number & essential != 0)) }  // 0 stands for none
            }
            try change(item) { $0.properties += found }
        }
    }
}
