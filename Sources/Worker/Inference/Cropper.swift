import ImageDecoding

/// Cuts squares out of decoded pictures and makes them a model's size: sections 3.5 to 5 of docs/preprocessing.md, mirrored
/// by `crops.py` and `views.py` in `Models/training/bifrons_training/preprocessing`.
enum Cropper {
    /// Writes the crop that shows a square, turned upright.
    ///
    /// - Parameters:
    ///   - square: in pixels of the upright picture at full size.
    ///   - target: has room for the specification's bytes.
    static func crop(
        _ picture: DecodedImage, square: Framing.Square, turn: Turn, as specification: CropGeometry,
        into target: UnsafeMutablePointer<UInt8>
    ) {
        let (width, height) = (specification.width, specification.height)
        let region = square.region(reducedBy: picture.reduction)
        switch turn.wholeQuarters {
        case 0: resize(picture.image, region: region, width: width, height: height, into: target)
        case let quarters?:
            let size = quarters == 2 ? (width, height) : (height, width)
            let lying = resized(picture.image, region: region, width: size.0, height: size.1)
            lying.turned(againstTheClock: quarters, into: target)
        case nil:
            let side = max(width, height)
            let cut = TurnedSampler.cut(
                picture.image, reducedBy: picture.reduction, square: square, turn: turn, side: side)
            resize(cut, region: .whole(of: cut), width: width, height: height, into: target)
        }
    }

    /// The central square of a picture, as it is in the picture.
    static func centralSquare(_ image: RGBImage, width: Int, height: Int) -> [UInt8] {
        let square = Framing.Square.central(width: image.width, height: image.height)
        return resized(image, region: square.region(reducedBy: 1), width: width, height: height).pixels
    }

    /// Writes a region of a picture, stretched to `width` × `height`.
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
