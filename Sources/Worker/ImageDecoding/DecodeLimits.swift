/// The limits for decoding one image. Exceeding any of them is an error with status 413, except for `profile`.
package struct DecodeLimits: Hashable, Sendable {
    /// The most bytes of the file. Default: 20,000,000.
    package var bytes: Int
    /// The most pixels of the image at full size, checked before any memory is allocated. Default: 50,000,000.
    package var pixels: Int
    /// The most scans of a JPEG. Each scan takes a pass over the whole image, yet a file needs only a few bytes for it.
    /// Default: 100.
    package var scans: Int
    /// The most bytes for the pixels and the decoder's working memory together. Default: 512 MiB.
    package var memory: Int
    /// The most processor time of the calling thread, so that the limit does not depend on how busy the machine is.
    /// Default: 5 s.
    package var time: Duration
    /// The most bytes of an uncompressed ICC profile. A longer profile is ignored without an error. A JPEG cannot hold
    /// more than the default of 16 MiB.
    package var profile: Int

    package init(
        bytes: Int = 20_000_000, pixels: Int = 50_000_000, scans: Int = 100, memory: Int = 512 << 20,
        time: Duration = .seconds(5), profile: Int = 16 << 20
    ) {
        self.bytes = bytes
        self.pixels = pixels
        self.scans = scans
        self.memory = memory
        self.time = time
        self.profile = profile
    }

    /// ``time`` in nanoseconds, as the C modules expect it.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = time.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(min(seconds, 1_000_000_000)) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
