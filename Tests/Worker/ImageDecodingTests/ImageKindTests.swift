import ImageDecoding
import TestImages
import Testing

@Suite struct ImageKindTests {
    /// The samples of ``SignatureTests`` that are not images.
    private static let others: Set<String> = [
        "AVI", "RIFF", "MP4", "QuickTime", "PDF", "ZIP", "gzip", "XML", "HTML", "JSON", "JPEG in base64",
        "PNG in base64", "data URL", "text", "empty", "FF", "00 01 02 03 04 05 06 07", "80 81",
    ]

    @Test(arguments: SignatureTests.files) func imagesAreDistinguishedFromOtherFiles(name: String, bytes: [UInt8]) {
        #expect(ImageKind.isImage(bytes) == !Self.others.contains(name), "\(name)")
    }

    @Test func filesThatAreReadCountAsImages() {
        for format in ImageFormat.read { #expect(ImageKind.isImage(imageFile(format, width: 8, height: 8))) }
        #expect(!ImageKind.isImage([]))
    }
}
