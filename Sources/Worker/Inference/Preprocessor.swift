import ImageDecoding

/// Converts pixels to a network's input tensor. Each byte `v` of a channel becomes `(v / 255 - mean) / std`, in the
/// manifest's layout and order of channels (section 6 of docs/preprocessing.md). The result has the same bits on every
/// machine.
struct Preprocessor: Sendable {
    private let input: Manifest.Input
    /// The index in an RGB pixel of each of the tensor's channels.
    private let channels: [Int]
    /// The float of every byte value: 256 for each channel of the tensor.
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

    /// The number of floats of one image's tensor, which is also the number of bytes of the image.
    var elementCount: Int { 3 * input.width * input.height }

    /// Writes the tensors of crops, one after another.
    ///
    /// - Parameters:
    ///   - crops: Whole crops of the input's size, as in ``LocatedImage/Crops/pixels``.
    ///   - target: Memory for as many floats as there are bytes.
    func write(crops: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>) {
        precondition(
            crops.count % elementCount == 0 && target.count == crops.count,
            "\(crops.count) bytes are no crops for \(target.count) floats")
        guard var pixels = crops.assumingMemoryBound(to: UInt8.self).baseAddress, var tensor = target.baseAddress else {
            return
        }
        for _ in 0..<(crops.count / elementCount) {
            for y in 0..<input.height {
                write(
                    row: pixels + y * input.width * 3, count: input.width, at: y * input.width, step: 1, into: tensor)
            }
            pixels += elementCount
            tensor += elementCount
        }
    }

    /// Writes the tensor of a whole image, turned clockwise by `quarters` × 90°. The image's longer side is resized to
    /// the input's, and the image stands at the top left. The rest of the tensor is 0.
    ///
    /// - Precondition: `target` holds ``elementCount`` floats.
    func writeWhole(_ image: RGBImage, turned quarters: Int = 0, into target: UnsafeMutableBufferPointer<Float>) {
        precondition(target.count == elementCount, "\(target.count) floats are not one image's tensor")
        guard let tensor = target.baseAddress else { return }
        let fitted = Framing.fitted(width: image.width, height: image.height, side: min(input.width, input.height))
        if fitted.width < input.width || fitted.height < input.height { target.update(repeating: 0) }
        Resampler.resize(image, region: .whole(of: image), width: fitted.width, height: fitted.height) { y, row in
            // The position of a row's first pixel, and the distance to its next pixel.
            let (x, first, step): (Int, Int, Int) =
                switch quarters {
                case 0: (0, y, 1)
                case 1: (fitted.height - 1 - y, 0, input.width)
                case 2: (fitted.width - 1, fitted.height - 1 - y, -1)
                default: (y, fitted.width - 1, -input.width)
                }
            write(row: row, count: fitted.width, at: first * input.width + x, step: step, into: tensor)
        }
    }

    /// Writes the first `count` pixels of a row: the first at index `place` of the tensor, each further one `step`
    /// places on.
    private func write(
        row: UnsafePointer<UInt8>, count: Int, at place: Int, step: Int, into tensor: UnsafeMutablePointer<Float>
    ) {
        // The distances in floats from one pixel to the next, and from one channel to the next.
        let (pixelStep, channelStep) = input.layout == .nchw ? (1, input.width * input.height) : (3, 1)
        floats.withUnsafeBufferPointer { floats in
            for (channel, offset) in channels.enumerated() {
                var output = tensor + (place * pixelStep + channel * channelStep)
                var byte = row + offset
                for _ in 0..<count {
                    output.pointee = floats[channel << 8 | Int(byte.pointee)]
                    output += step * pixelStep
                    byte += 3
                }
            }
        }
    }
}
