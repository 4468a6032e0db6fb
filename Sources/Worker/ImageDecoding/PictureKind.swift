/// Whether a file is a picture, of a format that is read here or of another.
package enum PictureKind {
    /// Bytes of a file's start that are enough to tell.
    package static let startBytes = 1024

    /// What the names of pictures end in, in lower case and without the point.
    package static let suffixes: Set<String> = [
        // Read.
        "jpg", "jpeg", "jpe", "jfif", "pjpeg", "png", "apng",
        // Not read: of the web, of phones, of programs.
        "webp", "gif", "avif", "avifs", "heic", "heics", "heif", "heifs", "hif", "tif", "tiff", "bmp", "dib", "svg",
        "svgz",
        "ico", "cur", "icns", "jxl", "jp2", "j2k", "jpf", "jpx", "jpm", "jxr", "wdp", "hdp", "mng", "jng", "psd", "psb",
        "xcf", "tga", "pcx", "pbm", "pgm", "ppm", "pnm", "pam", "qoi", "exr", "hdr", "dds", "fits",
        // Not read: raw files of cameras.
        "dng", "cr2", "cr3", "crw", "nef", "nrw", "arw", "sr2", "srf", "orf", "rw2", "raf", "pef", "srw", "x3f", "3fr",
        "iiq",
        "erf", "mrw", "raw",
    ]

    /// What ``Signature`` calls pictures that are not read.
    private static let notRead: Set<String> = [
        "a GIF", "a JPEG XR", "a TIFF", "a BigTIFF", "a JPEG XL", "a JPEG 2000", "a Windows icon (ICO)",
        "a Windows cursor (CUR)", "an MNG", "a JNG", "a Photoshop file (PSD)", "a GIMP file (XCF)", "a QOI",
        "an OpenEXR",
        "a Radiance picture (HDR)", "a DirectDraw surface (DDS)", "a FITS", "an AVIF", "an AVIF sequence", "a HEIC",
        "a HEIC sequence", "a HEIF", "a Canon raw file (CR3)", "a WebP", "a BMP", "a Netpbm picture", "an SVG",
    ]

    /// Whether a file that begins so is a picture.
    package static func isPicture(_ start: [UInt8]) -> Bool {
        start.withUnsafeBytes { buffer in
            switch Signature(Bytes(buffer: buffer)) {
            case .read: true
            case .notRead(let name): notRead.contains(name)
            }
        }
    }
}
