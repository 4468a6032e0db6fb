/// The content of a test image: a colour for every pixel, the same on every run.
package struct Pattern: Sendable {
    package typealias Colour = (red: UInt8, green: UInt8, blue: UInt8)

    private let colour: @Sendable (_ x: Int, _ y: Int, _ width: Int, _ height: Int) -> Colour

    /// - Parameter colour: returns the colour of pixel (x, y) in an image of width × height pixels.
    package init(_ colour: @escaping @Sendable (_ x: Int, _ y: Int, _ width: Int, _ height: Int) -> Colour) {
        self.colour = colour
    }

    /// Gradients, edges and some grain. It compresses about as a photograph does and has no symmetry.
    package static let scene = Pattern { x, y, width, height in
        let (dx, dy) = (x * 1024 / max(width, 1) - 400, y * 1024 / max(height, 1) - 350)
        let grain = Int(hash(x, y, 1) & 15) - 8
        let isInside = dx * dx + dy * dy < 60_000
        func clamp(_ value: Int) -> UInt8 { UInt8(min(max(value + grain, 0), 255)) }
        return isInside
            ? (clamp(200 - dy / 8), clamp(150 + dx / 10), clamp(120))
            : (clamp(x * 160 / max(width, 1) + 20), clamp(y * 200 / max(height, 1) + 20), clamp(90 + (dx ^ dy) / 16))
    }

    /// A drawn head and shoulders in front of gradients, with some grain. The locator finds its face, and is sure of it.
    package static let portrait = Pattern { x, y, width, height in
        let grain = Int(hash(x, y, 2) & 15) - 8
        func clamp(_ value: Int) -> UInt8 { UInt8(min(max(value + grain, 0), 255)) }
        // In thousandths of the shorter side: the distance from the vertical axis, and the height from the centre.
        let unit = max(min(width, height), 1)
        let (u, v) = (abs(x - width / 2) * 1000 / unit, (y - height / 2) * 1000 / unit)
        func isInside(_ centre: (u: Int, v: Int), _ radius: (u: Int, v: Int)) -> Bool {
            let (du, dv) = ((u - centre.u) * 1000 / radius.u, (v - centre.v) * 1000 / radius.v)
            return du * du + dv * dv < 1_000_000
        }
        let isMouth = v > 130 && isInside((0, 130), (90, 50))
        let isBrow = (40...125).contains(u) && (-150 ... -135).contains(v)
        let isNose = u < 10 && (-20...35).contains(v)
        let (eye, head) = ((80, -85), (0, -30))
        if isMouth { return (clamp(176), clamp(76), clamp(80)) }
        if isInside(eye, (20, 23)) { return (clamp(52), clamp(74), clamp(60)) }
        if isInside(eye, (43, 23)) { return (clamp(245), clamp(244), clamp(240)) }
        if isNose { return (clamp(190), clamp(140), clamp(116)) }
        if isInside(head, (195, 297)), !isBrow { return (clamp(222), clamp(176), clamp(148)) }
        if isBrow || isInside((0, -156), (219, 242)) { return (clamp(64), clamp(42), clamp(30)) }
        if isInside((0, 500), (242, 293)) { return (clamp(70), clamp(60), clamp(110)) }
        return (clamp(x * 115 / max(width, 1) + 60), clamp(y * 77 / max(height, 1) + 90), clamp(170 - v / 16))
    }

    /// Red at the top left, green at the top right, blue at the bottom left, white at the bottom right.
    package static let quadrants = Pattern { x, y, width, height in
        switch (x * 2 < width, y * 2 < height) {
        case (true, true): (255, 0, 0)
        case (false, true): (0, 255, 0)
        case (true, false): (0, 0, 255)
        case (false, false): (255, 255, 255)
        }
    }

    /// Returns a pattern of random colours, whose compressed image is as large as an image can be.
    package static func noise(seed: UInt64) -> Pattern {
        Pattern { x, y, _, _ in
            let bits = hash(x, y, seed)
            return (UInt8(bits & 255), UInt8(bits >> 8 & 255), UInt8(bits >> 16 & 255))
        }
    }

    /// Returns a pattern of a single colour.
    package static func plain(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> Pattern {
        Pattern { _, _, _, _ in (red, green, blue) }
    }

    /// Returns the colours as RGB bytes, row by row.
    package func pixels(width: Int, height: Int) -> [UInt8] {
        var pixels: [UInt8] = []
        pixels.reserveCapacity(width * height * 3)
        for y in 0..<height {
            for x in 0..<width {
                let (red, green, blue) = colour(x, y, width, height)
                pixels.append(red)
                pixels.append(green)
                pixels.append(blue)
            }
        }
        return pixels
    }

    /// Returns a hash of the arguments by the mixing function of SplitMix64 (Steele, Lea, Flood 2014).
    private static func hash(_ x: Int, _ y: Int, _ seed: UInt64) -> UInt64 {
        var z = seed &+ UInt64(truncatingIfNeeded: x &* 0x1_0001 &+ y &* 0x3_0000_0007) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
