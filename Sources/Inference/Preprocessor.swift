public import ImageDecoding

/// From an upright picture to a network's input tensor: preprocessing version 1, the one definition, which
/// `Models/training/preprocessing.py` mirrors.
///
/// The central square, resized to the input's size by Pillow's BILINEAR, across and then down (see `Resampler`), each byte
/// `v` of a channel then `(v / 255 - mean) / std`, in the manifest's layout and order of channels. Every machine gives the
/// same bits.
public struct Preprocessor: Sendable {
    private let input: Manifest.Input
    /// The place in an RGB pixel of each of the tensor's channels.
    private let channels: [Int]
    /// The float of every byte, 256 a channel of the tensor.
    private let floats: [Float]

    public init(manifest: Manifest) {
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
    public var elementCount: Int { 3 * input.width * input.height }

    /// How far a decoder may scale a picture down (see `ImageDecoder.decode`) before the score would change: the shorter
    /// side keeps twice the input's longer one.
    public var minimumSide: Int { 2 * max(input.width, input.height) }

    /// Writes one picture's tensor.
    ///
    /// - Precondition: `target` holds ``elementCount`` floats.
    public func write(_ image: RGBImage, into target: UnsafeMutableBufferPointer<Float>) {
        precondition(target.count == elementCount, "\(target.count) floats are not one picture's tensor")
        let region = Region.centralSquare(width: image.width, height: image.height)
        let plane = input.width * input.height
        // Floats from one pixel to the next, and from one channel to the next.
        let (pixelStep, channelStep) = input.layout == .nchw ? (1, plane) : (3, 1)
        floats.withUnsafeBufferPointer { floats in
            guard let start = target.baseAddress else { return }
            Resampler.resize(image, region: region, width: input.width, height: input.height) { y, row in
                for (channel, place) in channels.enumerated() {
                    var output = start + y * input.width * pixelStep + channel * channelStep
                    var byte = row + place
                    for _ in 0..<input.width {
                        output.pointee = floats[channel << 8 | Int(byte.pointee)]
                        output += pixelStep
                        byte += 3
                    }
                }
            }
        }
    }
}
