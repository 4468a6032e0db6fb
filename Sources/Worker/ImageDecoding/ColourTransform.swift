import CLCMS
import Synchronization

/// How a decoder's rows spell a pixel before its colours are converted.
enum RowFormat: Hashable, Sendable {
    case rgb, rgba, invertedCMYK

    /// Bytes a pixel.
    var channels: Int { self == .rgb ? 3 : 4 }

    fileprivate var layout: bifrons_colour_layout {
        switch self {
        case .rgb: .rgb
        case .rgba: .rgba
        case .invertedCMYK: .invertedCMYK
        }
    }
}

/// The conversion of rows from a profile's colours to sRGB.
///
/// Sendable without a check, because LittleCMS keeps on the caller's stack what changes while it converts.
final class ColourTransform: @unchecked Sendable {
    /// No colour moves by more than this, of 255, under a profile that counts as sRGB.
    private static let tolerance = 1
    /// Steps along each channel of the colours that this is looked for in.
    private static let steps = 8

    /// Whether the profile is one of gray, or of curves and a matrix, and sRGB within rounding, so that rows are left as they
    /// are.
    let changesNothing: Bool
    private let handle: OpaquePointer
    private let channels: Int
    /// What every gray becomes, if the profile is one of gray; else empty.
    private let grays: [UInt8]

    /// Nil: LittleCMS cannot use the profile.
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
            // A table may do one thing to the colours that are looked at and another to those in between.
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

    /// Converts the first `count` pixels of a row where they stand. Of inverted CMYK come three bytes a pixel.
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
        // What is beyond three channels is not written.
        var output = [UInt8](repeating: 0xFF, count: pixels * channels)
        bifrons_colour_convert(handle, input, &output, pixels)
        return output
    }

    /// A cube of colours and every gray, opaque if there is a fourth channel.
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

/// The conversions that pictures asked for last: most pictures have one of very few profiles, and LittleCMS takes
/// milliseconds to make a conversion.
final class ColourTransforms: Sendable {
    private struct Entry {
        let profile: ColourProfile
        let rows: RowFormat
        /// Nil: the profile is broken.
        let transform: ColourTransform?
    }

    private static let most = 8
    /// Bytes of a profile that is kept.
    private static let largest = 1 << 20

    /// The last used one at the end.
    private let entries = Mutex<[Entry]>([])

    /// Bytes that reading a profile and making its conversion take: the profile joined and looked over, its tables in
    /// LittleCMS, where a byte may become two, and those of the conversion.
    static func memory(_ profile: ColourProfile?) -> Int { profile.map { 4 * $0.bytes.count + (4 << 20) } ?? 0 }

    /// The conversion by the first of the profiles that fits the rows and is not broken. Nil: they stay as they are.
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
