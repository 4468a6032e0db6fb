/// The planes of a decoded picture. They are valid as long as the picture is.
struct HEIFPlanes {
    struct Plane {
        let start: UnsafeRawPointer
        /// The bytes from a row to the next.
        let stride: Int
        let width: Int
        let height: Int
    }

    /// The bits of a sample; samples of more than 8 bits take two bytes.
    let bits: Int
    /// Luma; or green, if the matrix is 0.
    let luma: Plane
    /// Both planes of chroma; or blue and red. Empty for a gray picture.
    let chroma: [Plane]
    /// What the bitstream says of the samples.
    let codes: HEIFPicture.Codes

    /// Checks that the planes have the sizes of a picture.
    ///
    /// - Throws: ``DecodeError`` if they do not, or are of a kind that is not read.
    func check(_ tile: HEIFPicture.Tile, _ format: ImageFormat) throws(DecodeError) {
        guard luma.width == tile.width, luma.height == tile.height else {
            throw .corrupt("\(format.title) is corrupt: its image and what it declares differ in size.")
        }
        let isWhole = chroma.allSatisfy { plane in
            [tile.width, (tile.width + 1) / 2].contains(plane.width)
                && [tile.height, (tile.height + 1) / 2].contains(plane.height)
        }
        guard isWhole, [0, 2].contains(chroma.count), 8...16 ~= bits else {
            throw .unsupported("\(format.title) is decoded to planes of a kind that is not read.")
        }
    }
}

/// Converts planes to rows of RGB, in whole numbers, so that equal planes give equal bytes everywhere
/// (docs/preprocessing.md). Chroma of half the size is interpolated linearly, its samples standing in the middle between
/// those of luma.
struct HEIFRows {
    private static let shift = 20
    /// The shares of red and blue in luma, by the code of the matrix (ITU-T H.273, 8.3); for 2, unspecified, as in most
    /// viewers.
    private static let shares = [
        1: (0.2126, 0.0722), 2: (0.299, 0.114), 4: (0.3, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114),
        7: (0.212, 0.087), 9: (0.2627, 0.0593),
    ]
    private static let identity = 0

    private let planes: HEIFPlanes
    private let isIdentity: Bool
    private var luma: [Int32]
    /// Both components of chroma, 16 times as large as their samples.
    private var chroma: [[Int32]]
    /// The nearer and the farther row of a plane of chroma.
    private var near: [Int32]
    private var far: [Int32]
    /// What a unit of luma, and one of 16 times chroma for each of red, green and blue, adds, and what is added in the
    /// end; in units of 2⁻²⁰.
    private let lumaFactor: Int32
    private let blueFactors: [Int32]
    private let redFactors: [Int32]
    private let offsets: [Int32]

    /// - Throws: ``DecodeError`` if the matrix is not read.
    init(_ planes: HEIFPlanes, _ codes: HEIFPicture.Codes, _ format: ImageFormat) throws(DecodeError) {
        isIdentity = codes.matrix == Self.identity && planes.chroma.first.map { $0.width == planes.luma.width } ?? true
        let share = isIdentity ? (0, 0) : Self.shares[planes.chroma.isEmpty ? 2 : codes.matrix]
        guard let (red, blue) = share else {
            throw .unsupported("\(format.title) has colours of a kind that is not read: matrix \(codes.matrix).")
        }
        self.planes = planes
        luma = Array(repeating: 0, count: planes.luma.width)
        chroma = Array(repeating: luma, count: planes.chroma.count)
        near = Array(repeating: 0, count: planes.chroma.first?.width ?? 0)
        far = near
        let unit = Double(1 << (planes.bits - 8))
        let most = Double(1 << planes.bits - 1)
        let (black, range, chromaRange): (Double, Double, Double) =
            codes.isFullRange ? (0, most, most) : (16 * unit, 219 * unit, 224 * unit)
        let one = Double(255 << Self.shift)
        func whole(_ value: Double) -> Int32 { Int32((value + 0.5).rounded(.down)) }
        let factor = whole(one / range)
        let green = 1 - red - blue
        // For red, green and blue.
        let ofBlue = [0, -2 * blue * (1 - blue) / green, 2 * (1 - blue)].map { whole($0 * one / chromaRange / 16) }
        let ofRed = [2 * (1 - red), -2 * red * (1 - red) / green, 0].map { whole($0 * one / chromaRange / 16) }
        let middle = Int32(isIdentity || planes.chroma.isEmpty ? 0 : 16 << (planes.bits - 1))
        offsets = (0..<3).map { channel in
            1 << Int32(Self.shift - 1) - Int32(black) * factor - middle * (ofBlue[channel] + ofRed[channel])
        }
        (lumaFactor, blueFactors, redFactors) = (factor, ofBlue, ofRed)
    }

    /// Writes red, green and blue of each pixel of a row, `channels` bytes apart.
    mutating func write(_ y: Int, to row: UnsafeMutablePointer<UInt8>, channels: Int) {
        Self.read(planes.luma, y, bits: planes.bits, into: &luma)
        for index in chroma.indices {
            Self.spread(
                planes.chroma[index], y, bits: planes.bits, over: planes.luma, by: &near, &far, into: &chroma[index])
        }
        if chroma.isEmpty {
            for x in luma.indices {
                let value = Self.byte(luma[x] &* lumaFactor &+ offsets[0])
                for channel in 0..<3 { row[x * channels + channel] = value }
            }
        } else if isIdentity {
            for x in luma.indices {
                row[x * channels] = Self.byte(chroma[1][x] / 16 &* lumaFactor &+ offsets[0])
                row[x * channels + 1] = Self.byte(luma[x] &* lumaFactor &+ offsets[1])
                row[x * channels + 2] = Self.byte(chroma[0][x] / 16 &* lumaFactor &+ offsets[2])
            }
        } else {
            // A constant distance lets the compiler do several pixels at once.
            if channels == 3 { convert(to: row, 3) } else { convert(to: row, channels) }
        }
    }

    /// Writes the row of an alpha picture, 4 bytes apart.
    static func writeAlpha(_ planes: HEIFPlanes, _ y: Int, to row: UnsafeMutablePointer<UInt8>) {
        var samples = [Int32](repeating: 0, count: planes.luma.width)
        read(planes.luma, y, bits: planes.bits, into: &samples)
        let unit = Int32(1 << (planes.bits - 8))
        let (black, range) = planes.codes.isFullRange ? (0, Int32(1 << planes.bits - 1)) : (16 * unit, 219 * unit)
        for x in samples.indices {
            let value = ((samples[x] - black) * 255 + range / 2) / range
            row[4 * x] = UInt8(truncatingIfNeeded: min(max(value, 0), 255))
        }
    }

    @inline(__always)
    private func convert(to row: UnsafeMutablePointer<UInt8>, _ channels: Int) {
        let (red, greenOfBlue, greenOfRed, blue) = (redFactors[0], blueFactors[1], redFactors[1], blueFactors[2])
        let (toRed, toGreen, toBlue) = (offsets[0], offsets[1], offsets[2])
        luma.withUnsafeBufferPointer { luma in
            chroma[0].withUnsafeBufferPointer { cb in
                chroma[1].withUnsafeBufferPointer { cr in
                    for x in 0..<luma.count {
                        let y = luma[x] &* lumaFactor
                        let pixel = row + x * channels
                        pixel[0] = Self.byte(y &+ cr[x] &* red &+ toRed)
                        pixel[1] = Self.byte(y &+ cb[x] &* greenOfBlue &+ cr[x] &* greenOfRed &+ toGreen)
                        pixel[2] = Self.byte(y &+ cb[x] &* blue &+ toBlue)
                    }
                }
            }
        }
    }

    @inline(__always)
    private static func byte(_ value: Int32) -> UInt8 { UInt8(truncatingIfNeeded: min(max(value >> shift, 0), 255)) }

    private static func read(_ plane: HEIFPlanes.Plane, _ y: Int, bits: Int, into samples: inout [Int32]) {
        let start = plane.start + y * plane.stride
        samples.withUnsafeMutableBufferPointer { samples in
            let samples = UnsafeMutableBufferPointer(rebasing: samples[..<plane.width])
            if bits == 8 {
                let from = start.assumingMemoryBound(to: UInt8.self)
                for x in samples.indices { samples[x] = Int32(from[x]) }
            } else {
                for x in samples.indices {
                    samples[x] = Int32(start.loadUnaligned(fromByteOffset: 2 * x, as: UInt16.self))
                }
            }
        }
    }

    /// Reads a row of chroma at the size of luma, 16 times as large.
    private static func spread(
        _ plane: HEIFPlanes.Plane, _ y: Int, bits: Int, over luma: HEIFPlanes.Plane, by near: inout [Int32],
        _ far: inout [Int32], into samples: inout [Int32]
    ) {
        let isLow = plane.height < luma.height
        let nearest = isLow ? y >> 1 : y
        let next = isLow ? min(max(nearest + (y & 1 == 1 ? 1 : -1), 0), plane.height - 1) : y
        read(plane, nearest, bits: bits, into: &near)
        if next != nearest { read(plane, next, bits: bits, into: &far) }
        near.withUnsafeMutableBufferPointer { blended in
            far.withUnsafeBufferPointer { far in
                let other = next == nearest ? UnsafeBufferPointer(blended) : far
                for x in blended.indices { blended[x] = blended[x] &* 3 &+ other[x] }
            }
            samples.withUnsafeMutableBufferPointer { samples in
                if plane.width < luma.width {
                    widen(UnsafeBufferPointer(blended), into: samples)
                } else {
                    for x in samples.indices { samples[x] = blended[x] &* 4 }
                }
            }
        }
    }

    /// Makes two samples of each, one nearer to its left and one nearer to its right neighbour.
    private static func widen(_ blended: UnsafeBufferPointer<Int32>, into samples: UnsafeMutableBufferPointer<Int32>) {
        let last = blended.count - 1
        func pair(_ x: Int, _ left: Int, _ right: Int) {
            samples[2 * x] = blended[x] &* 3 &+ blended[left]
            if 2 * x + 1 < samples.count { samples[2 * x + 1] = blended[x] &* 3 &+ blended[right] }
        }
        pair(0, 0, min(1, last))
        // The ends have one neighbour, so that this loop needs no condition.
        for x in 1..<max(1, last) {
            let middle = blended[x] &* 3
            samples[2 * x] = middle &+ blended[x - 1]
            samples[2 * x + 1] = middle &+ blended[x + 1]
        }
        if last > 0 { pair(last, last - 1, last) }
    }
}
