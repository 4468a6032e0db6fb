#if HEIF
    import CDav1d
    import Glibc

    /// A picture that dav1d decoded, on the calling thread.
    struct AV1Picture: ~Copyable {
        private let picture: Dav1dPicture

        /// Decodes the picture of a tile.
        ///
        /// - Throws: ``DecodeError`` if it is damaged, or larger than the file declares.
        init(_ tile: HEIFPicture.Tile, _ format: ImageFormat) throws(DecodeError) {
            var settings = Dav1dSettings()
            dav1d_default_settings(&settings)
            settings.n_threads = 1
            settings.max_frame_delay = 1
            settings.all_layers = 0
            settings.strict_std_compliance = 1
            settings.frame_size_limit = UInt32(clamping: tile.width * tile.height)
            settings.logger.callback = nil
            var context: OpaquePointer?
            var data = Dav1dData()
            guard dav1d_open(&context, &settings) == 0, let memory = dav1d_data_create(&data, tile.data.count) else {
                dav1d_close(&context)
                throw .tooLarge("\(format.title) finds no memory to be decoded in: try again later.")
            }
            defer {
                dav1d_data_unref(&data)
                dav1d_close(&context)
            }
            memcpy(memory, tile.data, tile.data.count)
            var picture = Dav1dPicture()
            var outcome = bifrons_dav1d_again
            var isDrained = false
            while outcome == bifrons_dav1d_again, !isDrained {
                isDrained = data.sz == 0
                if data.sz > 0 {
                    outcome = dav1d_send_data(context, &data)
                    guard outcome == 0 || outcome == bifrons_dav1d_again else { break }
                }
                outcome = dav1d_get_picture(context, &picture)
            }
            switch outcome {
            case 0: break
            case bifrons_dav1d_again: throw .truncated("\(format.title) image data ends before its image does.")
            case -ENOMEM: throw .tooLarge("\(format.title) finds no memory to be decoded in: try again later.")
            case -ERANGE:
                throw .corrupt("\(format.title) is corrupt: its image is larger than it declares.")
            case -ENOPROTOOPT: throw .unsupported("\(format.title) is of a kind of AV1 that is not read.")
            default: throw .corrupt("\(format.title) is corrupt in its image data.")
            }
            self.picture = picture
        }

        deinit {
            var released = self.picture
            dav1d_picture_unref(&released)
        }

        var planes: HEIFPlanes {
            let (width, height) = (Int(picture.p.w), Int(picture.p.h))
            let header = picture.seq_hdr.pointee
            let layout = picture.p.layout
            let isHalfWide = layout == DAV1D_PIXEL_LAYOUT_I420 || layout == DAV1D_PIXEL_LAYOUT_I422
            func plane(_ start: UnsafeMutableRawPointer?, _ stride: Int, isChroma: Bool) -> HEIFPlanes.Plane? {
                start.map { start in
                    HEIFPlanes.Plane(
                        start: UnsafeRawPointer(start), stride: stride,
                        width: isChroma && isHalfWide ? (width + 1) / 2 : width,
                        height: isChroma && layout == DAV1D_PIXEL_LAYOUT_I420 ? (height + 1) / 2 : height)
                }
            }
            guard let luma = plane(picture.data.0, picture.stride.0, isChroma: false) else {
                preconditionFailure("dav1d gave a picture without luma")
            }
            let chroma =
                layout == DAV1D_PIXEL_LAYOUT_I400
                ? []
                : [picture.data.1, picture.data.2].compactMap { plane($0, picture.stride.1, isChroma: true) }
            return HEIFPlanes(
                bits: Int(picture.p.bpc), luma: luma, chroma: chroma,
                codes: HEIFPicture.Codes(
                    primaries: Int(header.pri.rawValue), transfer: Int(header.trc.rawValue),
                    matrix: Int(header.mtrx.rawValue), isFullRange: header.color_range != 0))
        }
    }
#endif
