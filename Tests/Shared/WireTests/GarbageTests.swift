import BifronsWire
import TestKit
import Testing

/// Whatever arrives, a decoder returns a value or throws its error.
struct GarbageTests {
    private static let seeds: [UInt64] = [1, 2, 3]

    @Test(arguments: seeds) func randomBytesAreDecodedOrRefused(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<10_000 {
            decodeEverything(random.bytes(upTo: 200))
        }
    }

    /// Random bytes get further into a decoder after a valid beginning.
    @Test(arguments: seeds) func randomBytesAfterAValidPrefixAreDecodedOrRefused(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<10_000 {
            let tag = UInt8.random(in: random.chance(0.7) ? 1...9 : 65...71, using: &random)
            decodeEverything([Limits.workerProtocolVersion, tag] + random.bytes(upTo: 150))
        }
    }

    @Test(arguments: seeds) func brokenHeadersAreDecodedOrRefused(seed: UInt64) {
        let pieces = [
            "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u", "\\ud83d", "00e9", " ", "\n", "0", "-1", "1e9", ".5",
            "true",
            "null", "\"verb\":", "\"ping\"", "\"id\":\"a\"", "\"budget_ms\":7", "\"metadata\":{", "\"models\":[\"a\"",
            "é", "\u{0}",
        ].map { Array($0.utf8) }
        var random = SeededGenerator(seed: seed)
        for _ in 0..<10_000 {
            var header = random.chance(0.8) ? Array(#"{"verb":"ping","#.utf8) : []
            for _ in 0..<Int.random(in: 0...12, using: &random) { header += pieces.randomElement(using: &random)! }
            if random.chance(0.7) { header += Array("}".utf8) }
            decodeEverything(header)
        }
    }

    @Test(arguments: seeds) func randomFramesAreLocatedOrRefused(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5000 {
            let frames: [[UInt8]] = (0..<Int.random(in: 0...11, using: &random)).map { _ in
                switch Int.random(in: 0...4, using: &random) {
                case 0: []
                case 1: Array(Limits.magic.utf8)
                case 2: Array("BIFRONS9".utf8)
                default: random.bytes(upTo: 20)
                }
            }
            do {
                let found = try RequestFrames.locate(in: frames, dropped: frames.count == 11 ? 1 : 0)
                #expect((found.image ?? 0) < frames.count && (found.header ?? 0) < frames.count)
            } catch {
                #expect(error.error.status == .badRequest)
                #expect(error.envelopeCount <= Limits.envelopeFrames)
            }
        }
    }

    private func decodeEverything(_ bytes: [UInt8]) {
        do {
            let header = try decodeHeader(bytes)
            #expect((try? decodeHeader(header.encoded())) == header)
        } catch {
            #expect(error.error.status == .badRequest || error.error.status == .notFound)
            #expect(!error.error.message.isEmpty)
        }
        if let message = try? decodeWorkerMessage(bytes) {
            #expect((try? decodeWorkerMessage(message.encoded())) == message)
        }
        if let message = try? decodeRouterMessage(bytes) {
            #expect((try? decodeRouterMessage(message.encoded())) == message)
        }
    }
}
