#if HEIF
    import TestImages
    import Testing

    @testable import ImageDecoding

    /// AVIF and HEIC files that are put together box by box around pictures that libheif encoded.
    @Suite struct HEIFStructureTests {
        /// An item of a file: its type, its data, and the numbers of its properties, from 1.
        private struct Part {
            var type: String
            var data: [UInt8]
            var properties: [Int]
            var essential: Set<Int> = []
        }

        /// A file whose items have the numbers from 1 on, the first being the primary image.
        private struct File {
            var brand: String
            var parts: [Part]
            var properties: [[UInt8]]
            var references: [(type: String, from: Int, to: [Int])] = []
            /// Whether the data is beside the items, instead of in a box of its own.
            var isInItemData = false
            var extentsBefore = 0

            var bytes: [UInt8] {
                let start = box("ftyp", Array("\(brand)\0\0\0\0mif1\(brand)".utf8))
                let data = parts.flatMap(\.data)
                let empty = meta(dataAt: 0, data)
                let dataAt = isInItemData ? 0 : start.count + empty.count + 8
                return start + meta(dataAt: dataAt, data) + (isInItemData ? [] : box("mdat", data))
            }

            private func meta(dataAt place: Int, _ data: [UInt8]) -> [UInt8] {
                var (types, places, associations): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
                var offset = place
                for (index, part) in parts.enumerated() {
                    let name = number(index + 1, 2)
                    types += full("infe", 2, name + [0, 0] + Array(part.type.utf8) + [0])
                    places += name + number(isInItemData ? 1 : 0, 2) + [0, 0]
                    places += number(1 + extentsBefore, 2)
                    for _ in 0..<extentsBefore { places += number(offset, 4) + number(0, 4) }
                    places += number(offset, 4) + number(part.data.count, 4)
                    associations += number(index + 1, 2) + [UInt8(part.properties.count)]
                    associations += part.properties.map { UInt8($0) | (part.essential.contains($0) ? 0x80 : 0) }
                    offset += part.data.count
                }
                let count = number(parts.count, 2)
                let hdlr = [0, 0, 0, 0] + Array("pict".utf8) + [UInt8](repeating: 0, count: 13)
                let iref = references.flatMap { reference -> [UInt8] in
                    let to = reference.to.flatMap { number($0, 2) }
                    return box(reference.type, number(reference.from, 2) + number(reference.to.count, 2) + to)
                }
                let ipma = full("ipma", 0, number(parts.count, 4) + associations)
                let boxes: [[UInt8]] = [
                    full("hdlr", 0, hdlr), full("pitm", 0, [0, 1]), full("iinf", 0, count + types),
                    full("iloc", 1, [0x44, 0] + count + places),
                    box("iprp", box("ipco", properties.flatMap { $0 }) + ipma), full("iref", 0, iref),
                    isInItemData ? box("idat", data) : [],
                ]
                return full("meta", 0, boxes.flatMap { $0 })
            }
        }

        private static func size(_ width: Int, _ height: Int) -> [UInt8] {
            full("ispe", 0, number(width, 4) + number(height, 4))
        }

        /// A picture of 64 × 64 pixels: its data and the box of its decoder's configuration.
        private struct Coded {
            let format: ImageFormat
            let data: [UInt8]
            let configuration: [UInt8]
            let image: RGBImage

            init(_ format: ImageFormat, _ pattern: Pattern, hasAlpha: Bool = false) throws {
                self.format = format
                let file = TestImages.heif(width: 64, height: 64, isHEVC: format == .heic, pattern: pattern)
                let tile = try file.withUnsafeBytes { bytes in
                    let structure = try HEIFStructure(Bytes(buffer: bytes), format)
                    let item = try #require(structure.primary.flatMap { structure.items[$0] })
                    let tile = try structure.tile(item)
                    return (tile.data, Array(tile.configuration.buffer))
                }
                data = tile.0
                configuration = box(format == .avif ? "av1C" : "hvcC", tile.1)
                image = try decoded(file).image
            }

            var type: String { format == .avif ? "av01" : "hvc1" }
            var brand: String { format == .avif ? "avif" : "heic" }
        }

        private static let patterns = [
            Pattern { x, y, _, _ in (UInt8(3 * x), UInt8(3 * y), 90) }, .plain(200, 40, 60), .quadrants,
            Pattern { x, y, _, _ in (40, UInt8(2 * x + y), UInt8(255 - 3 * x)) },
        ]

        private static func single(_ coded: Coded, _ more: [[UInt8]] = [], _ essential: Set<Int> = []) -> File {
            File(
                brand: coded.brand,
                parts: [
                    Part(
                        type: coded.type, data: coded.data, properties: Array(1...2 + more.count), essential: essential)
                ], properties: [size(64, 64), coded.configuration] + more)
        }

        /// Returns a grid of two rows of two tiles.
        private static func grid(_ tiles: [Coded], width: Int, height: Int, rows: UInt8 = 2) -> File {
            let head: [UInt8] = [0, 0, rows - 1, 1]
            let data = head + number(width, 2) + number(height, 2)
            return File(
                brand: tiles[0].brand,
                parts: [Part(type: "grid", data: data, properties: [3])]
                    + tiles.map { Part(type: $0.type, data: $0.data, properties: [1, 2]) },
                properties: [size(64, 64), tiles[0].configuration, size(width, height)],
                references: [("dimg", 1, Array(2..<2 + tiles.count))])
        }

        @Test(arguments: [ImageFormat.avif, .heic]) func aGridIsPutTogether(format: ImageFormat) throws {
            let tiles = try Self.patterns.map { try Coded(format, $0) }
            for (width, height) in [(128, 128), (100, 90), (65, 65)] {
                let image = try decoded(Self.grid(tiles, width: width, height: height).bytes)
                #expect((image.format, image.width, image.height) == (format, width, height))
                for y in 0..<height {
                    for x in 0..<width {
                        let tile = tiles[(y / 64) * 2 + x / 64].image
                        guard image.image[x, y] != tile[x % 64, y % 64] else { continue }
                        Issue.record("(\(x), \(y)) is \(image.image[x, y]), not \(tile[x % 64, y % 64])")
                        return
                    }
                }
            }
        }

        @Test(arguments: [ImageFormat.avif, .heic]) func everyTransformStandsUpright(format: ImageFormat) throws {
            let coded = try Coded(format, Self.patterns[0])
            let plain = coded.image
            #expect(try decoded(Self.single(coded).bytes).image == plain)
            for quarters in 0..<4 {
                for mirror in [nil, 0, 1] as [UInt8?] {
                    let transforms =
                        [box("irot", [UInt8(quarters)])] + (mirror.map { [box("imir", [$0])] } ?? [])
                    let image = try decoded(Self.single(coded, transforms, [3]).bytes).image
                    for (x, y) in [(0, 0), (63, 0), (20, 50)] {
                        var (u, v) = (x, y)
                        for _ in 0..<quarters { (u, v) = (v, 63 - u) }  // anticlockwise
                        if mirror == 0 { v = 63 - v }
                        if mirror == 1 { u = 63 - u }
                        #expect(image[u, v] == plain[x, y], "\(quarters), \(String(describing: mirror))")
                    }
                }
            }
        }

        @Test func aCropIsApplied() throws {
            let coded = try Coded(.avif, Self.patterns[0])
            func clap(_ numbers: [Int]) -> [UInt8] {
                box("clap", numbers.flatMap { number($0 & 0xFFFF_FFFF, 4) })
            }
            // 20 × 31 pixels, their middle 3 to the right of the image's and half a pixel above it.
            let file = Self.single(coded, [clap([20, 1, 31, 1, 3, 1, -1, 2]), box("irot", [1])], [3, 4])
            let image = try decoded(file.bytes).image
            #expect((image.width, image.height) == (31, 20))
            #expect(image[0, 19] == coded.image[25, 16] && image[30, 0] == coded.image[44, 46])
            for numbers in [
                [20, 1, 31, 1, 0, 1, 0, 1], [65, 1, 64, 1, 0, 1, 0, 1], [20, 0, 30, 1, 0, 1, 0, 1],
                [20, 3, 30, 1, 0, 1, 0, 1], [20, 1, 30, 1, 23, 1, 0, 1], [0, 1, 30, 1, 0, 1, 0, 1],
            ] { #expect(failure(Self.single(coded, [clap(numbers)]).bytes)?.code == "image_corrupt", "\(numbers)") }
            let late = Self.single(coded, [box("irot", [1]), clap([20, 1, 30, 1, 0, 1, 0, 1])])
            #expect(failure(late.bytes)?.code == "image_unsupported")
        }

        /// Of a burst, only the primary image is decoded: the others need not even be intact.
        @Test func onlyThePrimaryImageCounts() throws {
            let tiles = try Self.patterns.map { try Coded(.heic, $0) }
            var file = Self.single(tiles[0])
            file.parts += tiles[1...].map { Part(type: $0.type, data: $0.data, properties: [1, 2]) }
            file.parts.append(Part(type: "hvc1", data: [1, 2, 3], properties: [9]))
            let image = try decoded(file.bytes)
            #expect(image.image == tiles[0].image && !image.isAnimated)
            let moving = try decoded(file.bytes + box("moov", []))
            #expect(moving.image == tiles[0].image && moving.isAnimated)
        }

        @Test func dataMayBeBesideTheItemsAndInParts() throws {
            let coded = try Coded(.avif, Self.patterns[3])
            var file = Self.single(coded)
            file.isInItemData = true
            #expect(try decoded(file.bytes).image == coded.image)
            file.isInItemData = false
            file.extentsBefore = 31
            #expect(try decoded(file.bytes).image == coded.image)
            file.extentsBefore = 32
            #expect(failure(file.bytes)?.code == "image_too_complex")
        }

        @Test func whatSamplesMeanIsReadFromTheFile() throws {
            let coded = try Coded(.avif, Self.patterns[0])
            func image(_ codes: [Int], range: UInt8) throws -> [UInt8] {
                let numbers = codes.flatMap { number($0, 2) }
                let colr = box("colr", Array("nclx".utf8) + numbers + [range])
                return try decoded(Self.single(coded, [colr]).bytes).image.pixels
            }
            let full = try image([1, 13, 6], range: 0x80)
            #expect(try image([1, 13, 5], range: 0x80) == full)
            #expect(try image([2, 2, 2], range: 0x80) == full)
            #expect(try image([1, 13, 1], range: 0x80) != full)
            #expect(try image([1, 13, 6], range: 0) != full)
            #expect(try distance(image([12, 13, 6], range: 0x80), full) > 1)
            for matrix in [0, 8, 14, 200] {
                #expect(throws: DecodeError.self) { try image([1, 13, matrix], range: 0x80) }
            }
        }

        @Test(arguments: [ImageFormat.avif, .heic]) func whatContradictsItselfIsAnError(format: ImageFormat) throws {
            let tiles = try Self.patterns.map { try Coded(format, $0) }
            let single = Self.single(tiles[0])
            let grid = Self.grid(tiles, width: 128, height: 128)
            func changed(_ file: File, _ change: (inout File) -> Void) -> [UInt8] {
                var file = file
                change(&file)
                return file.bytes
            }
            let broken: [(String, [UInt8], String)] = [
                ("a tile missing", changed(grid) { $0.references[0].to.removeLast() }, "image_corrupt"),
                ("a tile that is no item", changed(grid) { $0.references[0].to[2] = 77 }, "image_corrupt"),
                ("a grid of itself", changed(grid) { $0.references[0].to[2] = 1 }, "image_corrupt"),
                ("too wide for its tiles", Self.grid(tiles, width: 129, height: 128).bytes, "image_corrupt"),
                ("too small for its tiles", Self.grid(tiles, width: 64, height: 128).bytes, "image_corrupt"),
                ("an empty grid", changed(grid) { $0.parts[0].data = [] }, "image_corrupt"),
                ("half a grid", changed(grid) { $0.parts[0].data.removeLast() }, "image_corrupt"),
                ("no size", changed(single) { $0.parts[0].properties = [2] }, "image_corrupt"),
                ("no configuration", changed(single) { $0.parts[0].properties = [1] }, "image_corrupt"),
                (
                    "a property that is missing", changed(single) { $0.parts[0].properties = [1, 2, 9] },
                    "image_corrupt"
                ),
                ("another size", changed(single) { $0.properties[0] = Self.size(65, 64) }, "image_corrupt"),
                ("a smaller size", changed(single) { $0.properties[0] = Self.size(16, 16) }, "image_corrupt"),
                ("no pixels", changed(single) { $0.properties[0] = Self.size(0, 64) }, "image_zero_sized"),
                ("too many pixels", changed(single) { $0.properties[0] = Self.size(9000, 9000) }, "image_too_large"),
                ("no type", changed(single) { $0.parts[0].type = "abcd" }, "image_unsupported"),
                (
                    "an unknown essential property",
                    changed(single) {
                        $0.properties.append(box("abcd", []))
                        $0.parts[0].properties = [1, 2, 3]
                        $0.parts[0].essential = [3]
                    }, "image_unsupported"
                ),
            ]
            for (name, file, code) in broken {
                let error = failure(file)
                #expect(error?.code == code, "\(name): \(String(describing: error))")
            }
            let optional = changed(single) {
                $0.properties.append(box("abcd", []))
                $0.parts[0].properties = [1, 2, 3]
            }
            #expect(try decoded(optional).image == tiles[0].image)
        }

        /// The boxes around it say that nothing is missing.
        @Test(arguments: [ImageFormat.avif, .heic]) func imageDataThatEndEarlyAreNeverAnImage(format: ImageFormat)
            throws
        {
            let coded = try Coded(format, Self.patterns[0])
            for count in 0..<coded.data.count {
                var file = Self.single(coded)
                file.parts[0].data = Array(coded.data[..<count])
                if let error = failure(file.bytes) {
                    #expect(error.status == 422, "\(count) of \(coded.data.count): \(error)")
                } else {
                    #expect(try decoded(file.bytes).image == coded.image, "\(count) of \(coded.data.count)")
                }
            }
        }

        /// Otherwise, a few bytes could ask for gigabytes.
        @Test(arguments: [ImageFormat.avif, .heic]) func aPictureLargerThanDeclaredGetsNoMemory(format: ImageFormat)
            throws
        {
            let data = TestImages.heif(width: 640, height: 640, isHEVC: format == .heic, pattern: .plain(9, 9, 9))
            let declared = Array(Self.size(640, 640).suffix(8))
            let place = try #require(data.indices.first { data[$0...].starts(with: declared) })
            let error = failure(data.replacing(place + 2, with: 0).replacing(place + 6, with: 0))
            #expect(error?.code == "image_corrupt" && error?.message.contains("larger than it declares") == true)
        }

        @Test func alphaIsFoundByItsName() throws {
            let (colour, alpha) = (try Coded(.avif, Self.patterns[1]), try Coded(.avif, .plain(0, 0, 0)))
            let name = Array("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0".utf8)
            func file(_ name: [UInt8], _ more: [(type: String, from: Int, to: [Int])] = []) -> [UInt8] {
                var file = Self.single(colour)
                file.parts.append(Part(type: "av01", data: alpha.data, properties: [1, 2, 3]))
                file.properties.append(full("auxC", 0, name))
                file.references = [(type: "auxl", from: 2, to: [1])] + more
                return file.bytes
            }
            #expect(try decoded(file(name)).image.pixels.allSatisfy { $0 > 252 })
            #expect(try decoded(file(Array("urn:other\0".utf8))).image == colour.image)
            let premultiplied = try decoded(file(name, [("prem", 1, [2])])).image
            #expect(premultiplied.pixels.allSatisfy { $0 > 252 })
        }
    }

    private func number(_ value: Int, _ bytes: Int) -> [UInt8] {
        TestImages.littleEndian(value, bytes).reversed()
    }

    private func box(_ type: String, _ data: [UInt8]) -> [UInt8] {
        number(data.count + 8, 4) + Array(type.utf8) + data
    }

    private func full(_ type: String, _ version: UInt8, _ data: [UInt8]) -> [UInt8] {
        box(type, [version, 0, 0, 0] + data)
    }
#endif
