/// What one picture may cost. Going over any of these is a 413, but for the profile's.
package struct DecodeLimits: Hashable, Sendable {
    /// Bytes of the file.
    package var bytes: Int
    /// Pixels of the picture at full size, checked before any memory is asked for.
    package var pixels: Int
    /// Scans of a JPEG. Each is a pass over the whole picture, and costs its maker a few bytes.
    package var scans: Int
    /// Bytes that the pixels and the decoder's working memory may take together.
    package var memory: Int
    /// CPU time of the calling thread, so that a busy machine does not make a picture unreadable.
    package var time: Duration
    /// Bytes of an ICC profile, unpacked. Other than the limits above, a profile over this one is no error but ignored. A
    /// JPEG has no room for more.
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

    /// `time` as the C modules take it.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = time.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(min(seconds, 1_000_000_000)) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
