import CLCMS
import Synchronization

/// The layout of pixels in a decoder's rows before colour conversion.
enum RowFormat: Hashable, Sendable {
    case rgb, rgba, invertedCMYK

    /// The number of bytes per pixel.
    var channels: Int { self == .rgb ? 3 : 4 }

    fileprivate var layout: bifrons_colour_layout {
        switch self {
        case .rgb: .rgb
        case .rgba: .rgba
        case .invertedCMYK: .invertedCMYK
        }
    }
}

/// A conversion of rows from a profile's colours to sRGB.
///
/// Unchecked Sendable is safe, because LittleCMS keeps all state that changes during a conversion on the caller's
/// stack.
final class ColourTransform: @unchecked Sendable {
    /// The largest change of any sample value, out of 255, for a profile to count as sRGB.
    private static let tolerance = 1
    /// The number of steps along each channel of the sample colours for that check.
    private static let steps = 8

    /// Whether the profile equals sRGB within rounding, so that rows need no conversion. Only profiles of gray, or of
    /// curves and a matrix, are checked.
    let changesNothing: Bool
    private let handle: OpaquePointer
    private let channels: Int
    /// The RGB colour of each of the 256 grays, if the profile is of gray; empty otherwise.
    private let grays: [UInt8]

    /// Creates the conversion; nil if LittleCMS cannot use the profile.
    init?(_ profile: ColourProfile, rows: RowFormat) {
        guard let target = ColourProfile.sRGB?.bytes else { return nil }
        let isGray = profile.space == .gray
        guard
            let handle = bifrons_colour_open(
                profile.bytes, profile.bytes.count, target, target.count, isGray ? .gray : rows.layout)
        else { return nil }
        self.handle = handle
        channels = rows.channels
        if isGray {
            let table = Self.converted(handle, (0...255).map { UInt8($0) }, pixels: 256, channels: 3)
            changesNothing = Self.distance(table, (0..<768).map { UInt8($0 / 3) }) <= Self.tolerance
            grays = table
        } else {
            grays = []
            // A table may change colours between the samples in another way than the samples themselves.
            guard !profile.hasTable else {
                changesNothing = false
                return
            }
            let samples = Self.samples(channels: rows.channels)
            let pixels = samples.count / rows.channels
            let seen = Self.converted(handle, samples, pixels: pixels, channels: rows.channels)
            changesNothing = Self.distance(seen, samples) <= Self.tolerance
        }
    }

    deinit { bifrons_colour_close(handle) }

    /// Converts the first `count` pixels of a row in place. Inverted CMYK becomes RGB, three bytes per pixel.
    func convert(_ row: UnsafeMutablePointer<UInt8>, count: Int) {
        if grays.isEmpty {
            bifrons_colour_convert(handle, row, row, count)
            return
        }
        grays.withUnsafeBufferPointer { grays in
            for pixel in 0..<count {
                let to = row + pixel * channels
                let from = 3 * Int(to[0])
                (to[0], to[1], to[2]) = (grays[from], grays[from + 1], grays[from + 2])
            }
        }
    }

    private static func converted(_ handle: OpaquePointer, _ input: [UInt8], pixels: Int, channels: Int) -> [UInt8] {
        // The conversion writes only three channels and leaves a fourth as it is.
        var output = [UInt8](repeating: 0xFF, count: pixels * channels)
        bifrons_colour_convert(handle, input, &output, pixels)
        return output
    }

    /// Returns a grid of colours and all 256 grays, opaque if there is a fourth channel.
    private static func samples(channels: Int) -> [UInt8] {
        let levels = (0...steps).map { UInt8($0 * 255 / steps) }
        let rest = [UInt8](repeating: 0xFF, count: channels - 3)
        let cube = levels.flatMap { red in levels.flatMap { green in levels.flatMap { [red, green, $0] + rest } } }
        return cube + (0...255).flatMap { [UInt8](repeating: $0, count: 3) + rest }
    }

    private static func distance(_ first: [UInt8], _ second: [UInt8]) -> Int {
        zip(first, second).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
    }
}

/// A cache of recently used conversions. Most images use one of very few profiles, and LittleCMS takes milliseconds to
/// make a conversion.
final class ColourTransforms: Sendable {
    private struct Entry {
        let profile: ColourProfile
        let rows: RowFormat
        /// The conversion; nil if LittleCMS cannot use the profile.
        let transform: ColourTransform?
    }

    private static let most = 8
    /// The size in bytes of the largest profile that is cached.
    private static let largest = 1 << 20

    /// The cached conversions, least recently used first.
    private let entries = Mutex<[Entry]>([])

    /// Returns an upper bound in bytes of the memory for reading a profile and making its conversion: the joined and
    /// checked profile, its tables in LittleCMS, where one byte may become two, and the tables of the conversion.
    static func memory(_ profile: ColourProfile?) -> Int { profile.map { 4 * $0.bytes.count + (4 << 20) } ?? 0 }

    /// Returns the conversion of the first profile that fits the rows and that LittleCMS can use; nil if the rows need
    /// no conversion.
    func transform(_ profiles: [ColourProfile], rows: RowFormat, isGray: Bool) -> ColourTransform? {
        for profile in profiles {
            let fits =
                switch profile.space {
                case .gray: isGray
                case .rgb: rows != .invertedCMYK
                case .cmyk: rows == .invertedCMYK
                }
            if fits, let transform = transform(profile, rows) {
                return transform.changesNothing ? nil : transform
            }
        }
        return nil
    }

    private func transform(_ profile: ColourProfile, _ rows: RowFormat) -> ColourTransform? {
        let found = entries.withLock { entries -> Entry? in
            guard let index = entries.lastIndex(where: { $0.rows == rows && $0.profile == profile }) else { return nil }
            let entry = entries.remove(at: index)
            entries.append(entry)
            return entry
        }
        if let found { return found.transform }
        let entry = Entry(profile: profile, rows: rows, transform: ColourTransform(profile, rows: rows))
        if profile.bytes.count <= Self.largest {
            entries.withLock { entries in
                entries.append(entry)
                if entries.count > Self.most { entries.removeFirst() }
            }
        }
        return entry.transform
    }
}
