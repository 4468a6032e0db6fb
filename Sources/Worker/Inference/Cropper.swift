import ImageDecoding

/// Cuts squares out of decoded images and resizes them for a model: sections 3.5 to 5 of docs/preprocessing.md. The
/// Python counterparts are `crops.py` and `views.py` in `Models/training/bifrons_training/preprocessing`.
enum Cropper {
    /// Cuts out a square, turns it upright and writes the crop.
    ///
    /// - Parameters:
    ///   - image: The decoded image.
    ///   - square: The square, in pixels of the upright image at full size.
    ///   - turn: How the face stands turned in the image.
    ///   - specification: The size of the crop.
    ///   - target: Memory for the specification's number of bytes.
    static func crop(
        _ image: DecodedImage, square: Framing.Square, turn: Turn, as specification: CropGeometry,
        into target: UnsafeMutablePointer<UInt8>
    ) {
        let (width, height) = (specification.width, specification.height)
        let region = square.region(reducedBy: image.reduction)
        switch turn.wholeQuarters {
        case 0: resize(image.image, region: region, width: width, height: height, into: target)
        case let quarters?:
            let size = quarters == 2 ? (width, height) : (height, width)
            let lying = resized(image.image, region: region, width: size.0, height: size.1)
            lying.turned(againstTheClock: quarters, into: target)
        case nil:
            let side = max(width, height)
            let cut = TurnedSampler.cut(
                image.image, reducedBy: image.reduction, square: square, turn: turn, side: side)
            resize(cut, region: .whole(of: cut), width: width, height: height, into: target)
        }
    }

    /// Returns the central square of an image, resized but not turned.
    static func centralSquare(_ image: RGBImage, width: Int, height: Int) -> [UInt8] {
        let square = Framing.Square.central(width: image.width, height: image.height)
        return resized(image, region: square.region(reducedBy: 1), width: width, height: height).pixels
    }

    /// Writes a region of an image, resized to `width` × `height`.
    private static func resize(
        _ image: RGBImage, region: Region, width: Int, height: Int, into target: UnsafeMutablePointer<UInt8>
    ) {
        Resampler.resize(image, region: region, width: width, height: height) { y, row in
            (target + y * width * 3).update(from: row, count: width * 3)
        }
    }

    private static func resized(_ image: RGBImage, region: Region, width: Int, height: Int) -> RGBImage {
        let count = width * height * 3
        let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            guard let target = buffer.baseAddress else { return }
            resize(image, region: region, width: width, height: height, into: target)
            initialized = count
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }
}
