import CTestImages
import Glibc

extension TestImages {
    /// The colour space of a JPEG file.
    package enum JPEGColour: CaseIterable, Sendable {
        case gray, ycbcr, rgb
        /// Inverted (255 is no ink), without Adobe's marker.
        case cmyk
        /// Inverted (255 is no ink), with Adobe's marker, as Photoshop writes it.
        case adobeCMYK, adobeYCCK
    }

    /// How the scans of a JPEG file are arranged.
    package enum JPEGScans: CaseIterable, Sendable {
        case baseline, progressive
        /// Sequential, with one scan for each component.
        case oneAComponent
        /// Progressive, with one scan for each coefficient: 190 in an image of three components.
        case oneACoefficient
    }

    /// Returns a JPEG file.
    ///
    /// - Parameters:
    ///   - width: the pixels per stored row, before the orientation is applied.
    ///   - orientation: the orientation of an EXIF segment; nil for no such segment.
    ///   - subsampled: whether colour is stored at half the width and height.
    ///   - restartRows: the rows of blocks between restart markers; 0 for no markers.
    package static func jpeg(
        width: Int, height: Int, quality: Int = 90, scans: JPEGScans = .baseline, colour: JPEGColour = .ycbcr,
        orientation: Int? = nil, subsampled: Bool = false, restartRows: Int = 0, arithmetic: Bool = false,
        pattern: Pattern = .scene
    ) -> [UInt8] {
        jpeg(
            width: width, height: height, quality: quality, scans: scans, colour: colour, orientation: orientation,
            subsampled: subsampled, restartRows: restartRows, arithmetic: arithmetic,
            pixels: pattern.pixels(width: width, height: height))
    }

    /// Returns a JPEG file of `width * height * 3` bytes of RGB.
    package static func jpeg(
        width: Int, height: Int, quality: Int = 90, scans: JPEGScans = .baseline, colour: JPEGColour = .ycbcr,
        orientation: Int? = nil, subsampled: Bool = false, restartRows: Int = 0, arithmetic: Bool = false,
        pixels: [UInt8]
    ) -> [UInt8] {
        precondition(pixels.count == width * height * 3)
        let request = test_jpeg_request(
            width: UInt32(width), height: UInt32(height), colour: colour.encoded, scans: scans.encoded,
            quality: Int32(quality), subsampling: subsampled ? 2 : 1, arithmetic: arithmetic ? 1 : 0,
            adobe_marker: colour == .adobeCMYK || colour == .adobeYCCK || colour == .rgb ? 1 : 0,
            restart_rows: Int32(restartRows))
        var file: UnsafeMutablePointer<UInt8>?
        let count = test_jpeg_encode(request, samples(pixels, colour), &file)
        defer { free(file) }
        let bytes = Array(UnsafeBufferPointer(start: file, count: count))
        guard let orientation else { return bytes }
        return insert(exifSegment(tiff(orientation: orientation)), into: bytes)
    }

    /// Returns the JPEG file with another segment inserted after its start marker.
    package static func insert(_ segment: [UInt8], into jpeg: [UInt8]) -> [UInt8] {
        jpeg[..<2] + segment + jpeg[2...]
    }

    /// Returns a JPEG header segment.
    ///
    /// - Parameter marker: the byte after 0xFF, such as 0xE1 for APP1.
    package static func segment(_ marker: UInt8, _ data: [UInt8]) -> [UInt8] {
        let length = data.count + 2
        return [0xFF, marker, UInt8(length >> 8), UInt8(length & 255)] + data
    }

    /// Returns the APP1 segment with an EXIF block.
    package static func exifSegment(_ tiff: [UInt8]) -> [UInt8] {
        segment(0xE1, Array("Exif\0\0".utf8) + tiff)
    }

    /// Returns an EXIF block with two entries, of which the second is the orientation.
    package static func tiff(orientation: Int, bigEndian: Bool = true) -> [UInt8] {
        func number(_ value: Int, _ bytes: Int) -> [UInt8] {
            let little = (0..<bytes).map { UInt8(value >> (8 * $0) & 255) }
            return bigEndian ? little.reversed() : little
        }
        func entry(_ tag: Int, _ value: Int) -> [UInt8] {
            number(tag, 2) + number(3, 2) + number(1, 4) + number(value, 2) + [0, 0]
        }
        return Array((bigEndian ? "MM" : "II").utf8) + number(42, 2) + number(8, 4) + number(2, 2)
            + entry(0x0106, 2) + entry(0x0112, orientation) + number(0, 4)
    }

    private static func samples(_ pixels: [UInt8], _ colour: JPEGColour) -> [UInt8] {
        let isGray = colour == .gray
        guard isGray || colour.isCMYK else { return pixels }
        var samples: [UInt8] = []
        samples.reserveCapacity(pixels.count / 3 * (isGray ? 1 : 4))
        for offset in stride(from: 0, to: pixels.count, by: 3) {
            let (red, green, blue) = (Int(pixels[offset]), Int(pixels[offset + 1]), Int(pixels[offset + 2]))
            if isGray {
                samples.append(UInt8((red * 299 + green * 587 + blue * 114) / 1000))
            } else {
                let light = max(red, green, blue)
                let inks = [red, green, blue].map { light == 0 ? 0 : 255 - $0 * 255 / light } + [255 - light]
                samples += inks.map { UInt8(255 - $0) }
            }
        }
        return samples
    }
}

extension TestImages.JPEGColour {
    package var isCMYK: Bool { self == .cmyk || self == .adobeCMYK || self == .adobeYCCK }

    fileprivate var encoded: test_jpeg_colour {
        switch self {
        case .gray: .gray
        case .ycbcr: .ycbcr
        case .rgb: .rgb
        case .cmyk, .adobeCMYK: .cmyk
        case .adobeYCCK: .ycck
        }
    }
}

extension TestImages.JPEGScans {
    fileprivate var encoded: test_jpeg_scans {
        switch self {
        case .baseline: .baseline
        case .progressive: .progressive
        case .oneAComponent: .scanAComponent
        case .oneACoefficient: .scanACoefficient
        }
    }
}
