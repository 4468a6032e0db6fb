#if HEIF
    /// The decoding of one AVIF or HEIC file: of its primary image, which may be a grid of tiles, each of them decoded by
    /// itself. The file's own transforms are applied; an orientation in EXIF does not count beside them.
    struct HEIFReader {
        private let format: ImageFormat
        private let limits: DecodeLimits
        private let transforms: ColourTransforms
        private let structure: HEIFStructure
        private let picture: HEIFPicture
        private let time: ProcessorTime
        private let tileWidth: Int
        private let tileHeight: Int

        /// Reads the file's boxes and checks the size of its image.
        ///
        /// - Throws: ``DecodeError`` if the file is broken or exceeds a limit.
        init(
            _ bytes: Bytes, _ format: ImageFormat, limits: DecodeLimits, _ transforms: ColourTransforms
        ) throws(DecodeError) {
            time = ProcessorTime(limits)
            self.format = format
            self.limits = limits
            self.transforms = transforms
            structure = try HEIFStructure(bytes, format)
            picture = try HEIFPicture(structure, largestProfile: limits.profile)
            let budget = Budget(limits)
            try budget.check(format, width: picture.width, height: picture.height)
            guard let first = picture.tiles.first else { throw structure.corrupt("it has no image data") }
            let tile = try structure.tile(first)
            (tileWidth, tileHeight) = (tile.width, tile.height)
            try budget.check(format, width: tileWidth, height: tileHeight)
            let rows = picture.tiles.count / picture.columns
            guard (picture.columns - 1) * tileWidth < picture.width, picture.width <= picture.columns * tileWidth,
                (rows - 1) * tileHeight < picture.height, picture.height <= rows * tileHeight
            else { throw structure.corrupt("its tiles and its image differ in size") }
            // The decoder's pictures, the copy of the data, rows, and the copies of the profile.
            let pictures = tileWidth * tileHeight * (tile.isDeep ? 12 : 6) * (picture.alphaTiles.isEmpty ? 1 : 2)
            let working =
                pictures + 2 * tile.data.count + tileWidth * 32 + (1 << 22) + ColourTransforms.memory(picture.profile)
            try budget.check(
                format, width: picture.shownWidth, height: picture.shownHeight, workingMemory: working)
        }

        /// Decodes the image.
        func decode() throws(DecodeError) -> DecodedImage {
            let image = try RGBImage.filled(
                storedWidth: picture.shownWidth, storedHeight: picture.shownHeight, orientation: picture.orientation
            ) { canvas throws(DecodeError) in
                for index in picture.tiles.indices {
                    try time.check(format)
                    let (left, top) = (
                        index % picture.columns * tileWidth - picture.left,
                        index / picture.columns * tileHeight - picture.top
                    )
                    let tile = try self.tile(picture.tiles[index])
                    let alpha = picture.alphaTiles.isEmpty ? nil : try self.tile(picture.alphaTiles[index])
                    if format == .avif {
                        let decoded = try AV1Picture(tile, format)
                        if let alpha {
                            let other = try AV1Picture(alpha, format)
                            try place(decoded.planes, tile, other.planes, onto: canvas, left: left, top: top)
                        } else {
                            try place(decoded.planes, tile, nil, onto: canvas, left: left, top: top)
                        }
                    } else {
                        let decoded = try HEVCPicture(tile, format, within: time)
                        if let alpha {
                            let other = try HEVCPicture(alpha, format, within: time)
                            try place(decoded.planes, tile, other.planes, onto: canvas, left: left, top: top)
                        } else {
                            try place(decoded.planes, tile, nil, onto: canvas, left: left, top: top)
                        }
                    }
                }
            }
            try time.check(format)
            return DecodedImage(
                format: format, width: image.width, height: image.height, reduction: 1,
                isAnimated: structure.isAnimated, image: image)
        }

        /// Returns the coded picture of an item, if it has the size of the first.
        private func tile(_ item: HEIFStructure.Item) throws(DecodeError) -> HEIFPicture.Tile {
            guard item.type == (format == .avif ? "av01" : "hvc1") else {
                throw .unsupported("\(format.title) has an image that is coded in another way than its brand says.")
            }
            let tile = try structure.tile(item)
            guard (tile.width, tile.height) == (tileWidth, tileHeight) else {
                throw structure.corrupt("its tiles differ in size")
            }
            return tile
        }

        /// Returns the part of a tile's side that is within a side of the canvas.
        private static func shown(_ side: Int, from start: Int, of whole: Int) -> Range<Int> {
            let first = max(0, -start)
            return first..<max(first, min(side, whole - start))
        }

        /// Places the part of a tile that is shown on the canvas. The tile begins at (`left`, `top`), which may be outside.
        private func place(
            _ planes: HEIFPlanes, _ tile: HEIFPicture.Tile, _ alpha: HEIFPlanes?, onto canvas: Canvas, left: Int,
            top: Int
        ) throws(DecodeError) {
            try planes.check(tile, format)
            try alpha?.check(tile, format)
            let codes = picture.codes ?? planes.codes
            var converter = try HEIFRows(planes, codes, format)
            let rows = alpha == nil ? RowFormat.rgb : .rgba
            let coded = ColourProfile(
                codedPrimaries: UInt8(clamping: codes.primaries), transfer: UInt8(clamping: codes.transfer))
            let colours = transforms.transform(
                [picture.profile, coded].compactMap { $0 }, rows: rows, isGray: planes.chroma.isEmpty)
            let columns = Self.shown(tileWidth, from: left, of: picture.shownWidth)
            let lines = Self.shown(tileHeight, from: top, of: picture.shownHeight)
            let row = UnsafeMutablePointer<UInt8>.allocate(capacity: tileWidth * rows.channels)
            defer { row.deallocate() }
            let run = Canvas.Run(first: left + columns.lowerBound, count: columns.count)
            let start = row + columns.lowerBound * rows.channels
            for y in lines {
                converter.write(y, to: row, channels: rows.channels)
                if let alpha { HEIFRows.writeAlpha(alpha, y, to: row + 3) }
                colours?.convert(row, count: tileWidth)
                switch (rows, picture.isPremultiplied) {
                case (.rgb, _): canvas.place(start, as: RGBLayout.self, y: top + y, run)
                case (_, true): canvas.place(start, as: PremultipliedOnWhiteLayout.self, y: top + y, run)
                default: canvas.place(start, as: RGBAOnWhiteLayout.self, y: top + y, run)
                }
            }
        }
    }
#endif
