#if HEIF
    import CDe265

    /// A picture that libde265 decoded, on the calling thread.
    struct HEVCPicture {
        private let context: HEVCContext
        private let picture: OpaquePointer

        /// The offset of the length of NAL units' lengths in `hvcC` (ISO/IEC 14496-15, 8.3.3.1).
        private static let lengthSize = 21

        /// Decodes the picture of a tile.
        ///
        /// - Throws: ``DecodeError`` if it is damaged, or larger than the file declares, or it exceeds the time.
        init(
            _ tile: HEIFPicture.Tile, _ format: ImageFormat, within time: ProcessorTime
        ) throws(DecodeError) {
            // Coded pictures are padded to whole blocks of up to 64 pixels.
            let context = try HEVCContext(most: (tile.width + 63) * (tile.height + 63), format)
            var numbers = HEIFNumbers(tile.configuration, from: Self.lengthSize, format)
            let lengthSize = try numbers.read(1) & 3 + 1
            for _ in 0..<(try numbers.read(1)) {
                _ = try numbers.read(1)
                for _ in 0..<(try numbers.read(2)) { context.push(try numbers.bytes(numbers.read(2))) }
            }
            try tile.data.withUnsafeBufferPointer { data throws(DecodeError) in
                var units = HEIFNumbers(Bytes(buffer: UnsafeRawBufferPointer(data)), format)
                while !units.isAtEnd { context.push(try units.bytes(units.read(lengthSize))) }
            }
            picture = try context.decode(format, within: time)
            self.context = context
        }

        var planes: HEIFPlanes {
            func plane(_ channel: Int32) -> HEIFPlanes.Plane? {
                var stride: Int32 = 0
                return de265_get_image_plane(picture, channel, &stride).map { start in
                    HEIFPlanes.Plane(
                        start: UnsafeRawPointer(start), stride: Int(stride),
                        width: Int(de265_get_image_width(picture, channel)),
                        height: Int(de265_get_image_height(picture, channel)))
                }
            }
            guard let luma = plane(0) else { preconditionFailure("libde265 gave a picture without luma") }
            let isGray = de265_get_chroma_format(picture) == de265_chroma_mono
            return HEIFPlanes(
                bits: Int(de265_get_bits_per_pixel(picture, 0)), luma: luma,
                chroma: isGray ? [] : [plane(1), plane(2)].compactMap { $0 },
                codes: HEIFPicture.Codes(
                    primaries: Int(de265_get_image_colour_primaries(picture)),
                    transfer: Int(de265_get_image_transfer_characteristics(picture)),
                    matrix: Int(de265_get_image_matrix_coefficients(picture)),
                    isFullRange: de265_get_image_full_range_flag(picture) != 0))
        }
    }

    /// A decoder of libde265.
    private final class HEVCContext {
        private let handle: UnsafeMutableRawPointer
        /// The most pixels of a picture, which ``HEVCMemory`` reads.
        private let most: UnsafeMutablePointer<Int>

        init(most pixels: Int, _ format: ImageFormat) throws(DecodeError) {
            HEVCMemory.replaceOwn()
            guard let handle = de265_new_decoder() else {
                throw .tooLarge("\(format.title) finds no memory to be decoded in: try again later.")
            }
            self.handle = handle
            most = .allocate(capacity: 1)
            most.initialize(to: pixels)
            var functions = HEVCMemory.functions
            de265_set_image_allocation_functions(handle, &functions, most)
        }

        deinit {
            de265_free_decoder(handle)
            most.deallocate()
        }

        /// Hands over a NAL unit, of which libde265 makes a copy.
        func push(_ unit: Bytes) {
            guard unit.count > 2 else { return }  // a header and nothing in it
            _ = de265_push_NAL(handle, unit.buffer.baseAddress, Int32(clamping: unit.count), 0, nil)
        }

        /// Decodes what was handed over. The picture is valid as long as the decoder is.
        func decode(_ format: ImageFormat, within time: ProcessorTime) throws(DecodeError) -> OpaquePointer {
            _ = de265_flush_data(handle)
            var more: Int32 = 1
            var picture: OpaquePointer?
            while more != 0, picture == nil {
                try time.check(format)
                guard de265_decode(handle, &more) == DE265_OK else {
                    throw .corrupt("\(format.title) is corrupt in its image data, or larger than it declares.")
                }
                picture = de265_get_next_picture(handle)
            }
            // libde265 warns when it invents pixels.
            let warning = de265_get_warning(handle)
            guard warning == DE265_OK else {
                throw .corrupt(
                    "\(format.title) is corrupt in its image data: \(String(cString: de265_get_error_text(warning))).")
            }
            guard let picture else {
                throw .truncated("\(format.title) image data ends before its image does.")
            }
            return picture
        }
    }

    /// The memory of libde265's pictures: limited in size, and cleared, because blocks that a damaged picture leaves out
    /// keep what was there.
    private enum HEVCMemory {
        static let functions: de265_image_allocation = .init(
            get_buffer: { context, spec, image, most in
                guard let spec, let image, HEVCMemory.isAllowed(spec.pointee, most),
                    HEVCMemory.own.get_buffer(context, spec, image, nil) != 0
                else { return 0 }
                HEVCMemory.clear(image)
                return 1
            },
            release_buffer: { context, image, _ in HEVCMemory.own.release_buffer(context, image, nil) })

        /// libde265's own functions.
        private static let own: de265_image_allocation = {
            let place = UnsafeMutablePointer(mutating: de265_get_default_image_allocation_functions())!
            defer { place.pointee = functions }
            return place.pointee
        }()

        /// Replaces libde265's own functions, for the whole process. The ones that are set for a decoder do not suffice:
        /// libde265 1.0 takes its own for pictures with a filter at the end (SAO).
        static func replaceOwn() { _ = own }

        /// Whether a picture is within the limit. Copies of a picture that libde265 makes by itself come without a limit.
        private static func isAllowed(_ spec: de265_image_spec, _ most: UnsafeMutableRawPointer?) -> Bool {
            guard spec.width > 0, spec.height > 0 else { return false }
            return most.map { Int(spec.width) * Int(spec.height) <= $0.load(as: Int.self) } ?? true
        }

        private static func clear(_ image: OpaquePointer) {
            for channel in 0..<(de265_get_chroma_format(image) == de265_chroma_mono ? 1 : 3) as Range<Int32> {
                var stride: Int32 = 0
                guard let plane = de265_get_image_plane(image, channel, &stride) else { continue }
                UnsafeMutableRawPointer(mutating: plane).initializeMemory(
                    as: UInt8.self, repeating: 0, count: Int(stride) * Int(de265_get_image_height(image, channel)))
            }
        }
    }
#endif
