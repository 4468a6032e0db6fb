import BifronsWire
import ProcessSupport
import Testing

@testable import Commands

@Suite struct BenchCommandTests {
    private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

    @Test func onlyAnswersWithinTheMeasuredTimeCount() {
        let measurement = Measurement(from: at(2), to: at(12))
        measurement.record("200", from: at(1), to: at(1.9))
        measurement.record("200", from: at(1.9), to: at(2.0))
        for index in 0..<98 { measurement.record("200", from: at(3), to: at(3 + Double(index) / 1000)) }
        measurement.record("206", from: at(3), to: at(4))
        measurement.record("429", from: at(3), to: at(3.1))
        measurement.record("no_answer", from: at(3), to: at(3.1))
        measurement.record("200", from: at(11.9), to: at(12))
        let report = measurement.report(images: 5, concurrency: 8)
        #expect(report.verdicts == 100)
        #expect(report.verdictsPerSecond == 10)
        #expect(report.errors == ["429": 1, "no_answer": 1])
        #expect(report.latencyMs.map { abs($0.p50 - 49) < 1 } == true)
        #expect(report.latencyMs.map { abs($0.max - 1000) < 2 } == true)
        #expect(report.lines[1] == "10.0 verdicts/s (100)")
        #expect(report.lines.last == "errors: 429: 1, no_answer: 1")
        #expect(report.json.contains(#""verdicts_per_second":10"#))
    }

    @Test func imagesBeyondTheMemoryLimitAndUnreadableOnesAreSkippedAndCounted() throws {
        let folder = try TemporaryFolder()
        for index in 0..<5 { try folder.write("\(index).jpg", Array(repeating: 0, count: index == 1 ? 101 : 100)) }
        let sources = ImageSearch([FileName(folder.path), FileName("/nowhere.jpg")]).sources
        let load = BenchLoad(sources, limit: 100, room: 250)
        #expect(load.images.count == 2)
        #expect(load.unreadable == 1)
        #expect(load.surplus == 3)
        #expect(
            load.omission
                == "4 images are left out: 1 cannot be read or are too large, 3 are beyond the 256 MB that fit")
        #expect(BenchLoad(ImageSearch([FileName(folder.path)]).sources, limit: 101).omission == nil)
    }

    @Test func aMeasurementWithoutVerdictsHasNoLatency() {
        let report = Measurement(from: at(0), to: at(1)).report(images: 1, concurrency: 1)
        #expect(report.latencyMs == nil)
        #expect(report.lines == ["1 images, 1 jobs in flight, 1.0 s", "0.0 verdicts/s (0)", "errors: none"])
    }
}
