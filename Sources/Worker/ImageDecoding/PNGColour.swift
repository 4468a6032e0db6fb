import CPNG
import Glibc

/// The colour information in a PNG's chunks. Only the first chunk of each kind counts.
struct PNGColour {
    private var codes: [UInt8]?
    private var packedProfile: Bytes?
    private var isSRGB = false
    private var gamma: Double?
    private var primaries: ColourProfile.Primaries?

    /// The factors by which a gamma may differ from sRGB's 1/2.2 and still count as sRGB. Libpng and browsers ignore
    /// differences of up to 5 % as well.
    private static let usualGamma = 0.95...1.05
    /// The factor by which numbers in chunks are scaled.
    private static let unit = 100_000.0
    /// The range of gamma numbers in a chunk that libpng accepts. Outside of it an image would be unrecognisable.
    private static let sensibleGamma = 16.0...625_000_000

    /// Records a chunk that comes before palette and image data.
    mutating func read(_ name: String, _ data: Bytes) {
        switch name {
        case "cICP" where codes == nil && data.count == 4:
            codes = Array(data.buffer)
        case "iCCP" where packedProfile == nil:
            packedProfile = data
        case "sRGB":
            isSRGB = true
        case "gAMA" where gamma == nil:
            guard data.count == 4, let number = data.uint32(at: 0).map(Double.init),
                Self.sensibleGamma.contains(number)
            else { return }
            gamma = number / Self.unit
        case "cHRM" where primaries == nil:
            let numbers = (0..<8).compactMap { data.uint32(at: $0 * 4) }
            guard data.count == 32, numbers.count == 8, numbers.allSatisfy({ $0 <= Int32.max }) else { return }
            let values = numbers.map { Double($0) / Self.unit }
            primaries = ColourProfile.Primaries(
                white: Array(values[0..<2]), red: Array(values[2..<4]), green: Array(values[4..<6]),
                blue: Array(values[6..<8]))
        default:
            break
        }
    }

    /// Returns the possible meanings of the colours, the most trusted first (PNG third edition, 4.3): cICP, iCCP, then
    /// sRGB, which needs no conversion, or gAMA and cHRM.
    ///
    /// - Parameter largest: The most bytes of an uncompressed profile; a longer one is ignored.
    func profiles(largest: Int) -> [ColourProfile] {
        let trusted = [codes.flatMap(Self.profile), packedProfile.flatMap { Self.unpacked($0, largest: largest) }]
        return trusted.compactMap { $0 } + (isSRGB ? [] : [ofNumbers].compactMap { $0 })
    }

    /// The profile from gAMA and cHRM, either of which may be missing.
    private var ofNumbers: ColourProfile? {
        let curve: ColourProfile.Curve =
            gamma.map { Self.usualGamma.contains($0 * 2.2) ? .sRGB : .power(1 / $0) } ?? .sRGB
        if curve == .sRGB, primaries == nil { return nil }
        return primaries.flatMap { ColourProfile($0, curve) } ?? ColourProfile(.bt709, curve)
    }

    /// Returns the profile for ITU-T H.273 code points; nil unless they describe full-range RGB in a space of standard
    /// dynamic range.
    private static func profile(_ codes: [UInt8]) -> ColourProfile? {
        codes[2] == 0 && codes[3] == 1 ? ColourProfile(codedPrimaries: codes[0], transfer: codes[1]) : nil
    }

    /// Returns the profile of an iCCP chunk: a name, a zero byte, the compression method, and the compressed profile.
    private static func unpacked(_ chunk: Bytes, largest: Int) -> ColourProfile? {
        guard let name = chunk.slice(0..<80).buffer.firstIndex(of: 0), name > 0, chunk[name + 1] == 0 else {
            return nil
        }
        let stream = chunk.slice(name + 2..<chunk.count)
        var size = 0
        guard let start = stream.buffer.baseAddress,
            let profile = bifrons_png_profile(start.assumingMemoryBound(to: UInt8.self), stream.count, largest, &size)
        else { return nil }
        defer { free(profile) }
        return ColourProfile(embedded: Bytes(buffer: UnsafeRawBufferPointer(start: profile, count: size)))
    }
}
