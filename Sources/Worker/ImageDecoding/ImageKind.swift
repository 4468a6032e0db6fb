/// Recognises image files, including those of formats that are not supported.
package enum ImageKind {
    /// The number of bytes at a file's start that suffice for ``isImage(_:)``.
    package static let startBytes = 1024

    /// File name extensions of images, in lower case and without the dot.
    package static let suffixes: Set<String> = [
        // Supported formats.
        "jpg", "jpeg", "jpe", "jfif", "pjpeg", "png", "apng", "webp", "gif", "avif", "avifs", "heic", "heics",
        // Unsupported formats of the web, phones and programs.
        "heif", "heifs", "hif", "tif", "tiff", "bmp", "dib", "svg",
        "svgz",
        "ico", "cur", "icns", "jxl", "jp2", "j2k", "jpf", "jpx", "jpm", "jxr", "wdp", "hdp", "mng", "jng", "psd", "psb",
        "xcf", "tga", "pcx", "pbm", "pgm", "ppm", "pnm", "pam", "qoi", "exr", "hdr", "dds", "fits",
        // Unsupported raw formats of cameras.
        "dng", "cr2", "cr3", "crw", "nef", "nrw", "arw", "sr2", "srf", "orf", "rw2", "raf", "pef", "srw", "x3f", "3fr",
        "iiq",
        "erf", "mrw", "raw",
    ]

    /// The names that ``Signature`` gives to images of unsupported formats.
    private static let notRead: Set<String> = [
        "a JPEG XR", "a TIFF", "a BigTIFF", "a JPEG XL", "a JPEG 2000", "a Windows icon (ICO)",
        "a Windows cursor (CUR)", "an MNG", "a JNG", "a Photoshop file (PSD)", "a GIMP file (XCF)", "a QOI",
        "an OpenEXR",
        "a Radiance image (HDR)", "a DirectDraw surface (DDS)", "a FITS",
        "a HEIF", "a Canon raw file (CR3)", "a BMP", "a Netpbm image", "an SVG",
    ]

    /// Returns whether a file that starts with these bytes is an image.
    package static func isImage(_ start: [UInt8]) -> Bool {
        start.withUnsafeBytes { buffer in
            switch Signature(Bytes(buffer: buffer)) {
            case .read: true
            case .notRead(let name): notRead.contains(name)
            }
        }
    }
}
