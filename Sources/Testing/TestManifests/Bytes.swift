internal import TestImages

/// A time within the validity of the tests' certificates: 14 November 2023.
package let present = 1_700_000_000

package let plainJPEG = TestImages.jpeg(width: 24, height: 20)
package let plainPNG = TestImages.png(width: 24, height: 20)

/// Returns a WebP of chunks, with an image of which only the frame exists.
package func webPFile(_ chunks: [(String, [UInt8])]) -> [UInt8] {
    var body: [UInt8] = []
    for (name, data) in [("VP8L", [0x2F, 0, 0, 0, 0])] + chunks {
        body += Array(name.utf8) + little(data.count) + data
        if data.count % 2 == 1 { body.append(0) }
    }
    return Array("RIFF".utf8) + little(body.count + 4) + Array("WEBP".utf8) + body
}

package func little(_ value: Int) -> [UInt8] { [0, 8, 16, 24].map { UInt8(value >> $0 & 255) } }
package func big(_ value: Int) -> [UInt8] { little(value).reversed() }
package func big16(_ value: Int) -> [UInt8] { big(value).suffix(2) }

/// Returns a box of an ISO media file or of JUMBF.
package func box(_ type: String, _ payload: [UInt8]) -> [UInt8] { big(payload.count + 8) + Array(type.utf8) + payload }
