import ImageDecoding

/// From a region of an upright picture to a network's input tensor: the last steps of preprocessing version 3
/// (docs/preprocessing.md), mirrored by `Models/training/preprocessing.py`.
///
/// The region, resized to the input's size by Pillow's BILINEAR, across and then down (see `Resampler`), each byte `v` of a
/// channel then `(v / 255 - mean) / std`, in the manifest's layout and order of channels. Every machine gives the same
/// bits.
struct Preprocessor: Sendable {
    private let input: Manifest.Input
    /// The place in an RGB pixel of each of the tensor's channels.
    private let channels: [Int]
    /// The float of every byte, 256 a channel of the tensor.
    private let floats: [Float]

    init(manifest: Manifest) {
        self.init(input: manifest.input)
    }

    init(input: Manifest.Input) {
        self.input = input
        self.channels = input.colour == .rgb ? [0, 1, 2] : [2, 1, 0]
        self.floats = zip(input.mean, input.std).flatMap { mean, std in
            (0..<256).map { Float((Double($0) / 255 - mean) / std) }
        }
    }

    /// Floats of one picture's tensor.
    var elementCount: Int { 3 * input.width * input.height }

    /// How far a decoder may scale a picture down before what the network sees of a square would change: the square keeps
    /// twice the input's longer side.
    func reduction(for square: Framing.Square) -> Int {
        Framing.reduction(of: square.side, keeping: 2 * max(input.width, input.height))
    }

    /// Writes the tensor of a picture's central square.
    ///
    /// - Precondition: `target` holds ``elementCount`` floats.
    func writeCentralSquare(_ image: RGBImage, into target: UnsafeMutableBufferPointer<Float>) {
        let square = Framing.Square.central(width: image.width, height: image.height)
        write(image, region: square.region(reducedBy: 1), into: target)
    }

    /// Appends the tensor of a square of a picture, turned upright.
    ///
    /// - Parameter square: in pixels of the upright picture at full size.
    func append(_ picture: DecodedImage, square: Framing.Square, turn: Turn, to tensors: inout [Float]) {
        let region = square.region(reducedBy: picture.reduction)
        switch turn.wholeQuarters {
        case 0: append(picture.image, region: region, to: &tensors)
        case let quarters?:
            let size = quarters == 2 ? (input.width, input.height) : (input.height, input.width)
            let cut = resized(picture.image, region: region, width: size.0, height: size.1)
            append(cut.turned(againstTheClock: quarters), to: &tensors)
        case nil:
            let side = max(input.width, input.height)
            append(
                TurnedSampler.cut(
                    picture.image, reducedBy: picture.reduction, square: square, turn: turn, side: side),
                to: &tensors)
        }
    }

    private func append(_ image: RGBImage, to tensors: inout [Float]) {
        append(
            image, region: Region(x0: 0, y0: 0, x1: Float(image.width), y1: Float(image.height)), to: &tensors)
    }

    private func resized(_ image: RGBImage, region: Region, width: Int, height: Int) -> RGBImage {
        var pixels: [UInt8] = []
        pixels.reserveCapacity(width * height * 3)
        Resampler.resize(image, region: region, width: width, height: height) { _, row in
            pixels.append(contentsOf: UnsafeBufferPointer(start: row, count: width * 3))
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    /// Appends the tensor of a picture's region.
    func append(_ image: RGBImage, region: Region, to tensors: inout [Float]) {
        let start = tensors.count
        tensors.append(contentsOf: repeatElement(0, count: elementCount))
        tensors.withUnsafeMutableBufferPointer {
            write(image, region: region, into: UnsafeMutableBufferPointer(rebasing: $0[start...]))
        }
    }

    /// Writes the tensor of a picture's region, stretched to the input's size.
    ///
    /// - Precondition: `target` holds ``elementCount`` floats.
    func write(_ image: RGBImage, region: Region, into target: UnsafeMutableBufferPointer<Float>) {
        write(image, region: region, width: input.width, height: input.height, into: target)
    }

    /// Writes the tensor of a whole picture: its longer side is made the input's, it stands at the top left, and beside or
    /// below it the tensor is 0.
    ///
    /// - Precondition: `target` holds ``elementCount`` floats.
    func writeWhole(_ image: RGBImage, into target: UnsafeMutableBufferPointer<Float>) {
        let fitted = Framing.fitted(width: image.width, height: image.height, side: min(input.width, input.height))
        if fitted.width < input.width || fitted.height < input.height { target.update(repeating: 0) }
        let all = Region(x0: 0, y0: 0, x1: Float(image.width), y1: Float(image.height))
        write(image, region: all, width: fitted.width, height: fitted.height, into: target)
    }

    /// Writes a region, resized to `width` × `height`, to the top left of the tensor.
    private func write(
        _ image: RGBImage, region: Region, width: Int, height: Int, into target: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(target.count == elementCount, "\(target.count) floats are not one picture's tensor")
        let plane = input.width * input.height
        // Floats from one pixel to the next, and from one channel to the next.
        let (pixelStep, channelStep) = input.layout == .nchw ? (1, plane) : (3, 1)
        floats.withUnsafeBufferPointer { floats in
            guard let start = target.baseAddress else { return }
            Resampler.resize(image, region: region, width: width, height: height) { y, row in
                for (channel, place) in channels.enumerated() {
                    var output = start + y * input.width * pixelStep + channel * channelStep
                    var byte = row + place
                    for _ in 0..<width {
                        output.pointee = floats[channel << 8 | Int(byte.pointee)]
                        output += pixelStep
                        byte += 3
                    }
                }
            }
        }
    }
}
