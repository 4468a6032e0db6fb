import BifronsWire
import Glibc
import Reactor
import Testing

@testable import Commands

@Suite struct TextTests {
    @Test(arguments: [
        (0.0, 1, "0.0"), (1.25, 1, "1.3"), (-0.04, 1, "0.0"), (-2.5, 0, "-3"), (99.999, 2, "100.00"), (3.05, 2, "3.05"),
    ])
    func numbersAreRounded(_ value: Double, _ decimals: Int, _ text: String) {
        #expect(fixed(value, decimals) == text)
    }

    @Test(arguments: [(0.4, "0 s"), (59.4, "59 s"), (61, "1 min 1 s"), (3720, "1 h 2 min"), (90_000, "1 d 1 h")])
    func durationsAreShownInTwoUnits(_ seconds: Double, _ text: String) {
        #expect(span(seconds: seconds) == text)
    }

    @Test func controlCharactersOfNamesDoNotReachTheTerminal() {
        #expect("a\u{1B}[2Jb\n".printable == "a\u{FFFD}[2Jb\u{FFFD}")
    }

    @Test(arguments: [
        ("plain/a-b_c.jpg", "plain/a-b_c.jpg"), ("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5555"), ("", "''"),
        ("my keys", "'my keys'"), ("tcp://[::1]:5555", "'tcp://[::1]:5555'"), ("it's", "'it'\\''s'"),
        ("$HOME", "'$HOME'"),
    ])
    func wordsAreQuotedForTheShell(_ word: String, _ quoted: String) {
        #expect(word.shellQuoted == quoted)
    }

    @Test func tableColumnsAreAligned() {
        #expect(
            TextTable.lines(
                [.init(title: "NAME"), .init(title: "N", isNumber: true)], [["a", "10"], ["long one", "5"]])
                == ["NAME       N", "a         10", "long one   5"])
    }

    @Test func progressShowsABarARateAndTheRemainingTime() {
        #expect(
            ProgressBar.text(done: 12, total: 48, elapsed: .seconds(4))
                == "[######------------------] 12/48  3.0/s  12 s left")
        #expect(ProgressBar.text(done: 0, total: 48, elapsed: .zero) == "[------------------------] 0/48")
        #expect(ProgressBar.text(done: 48, total: 48, elapsed: .seconds(16)).hasSuffix("48/48  3.0/s"))
    }

    @Test func noProgressBarIsShownInAPipeOrForFewImages() {
        #expect(ProgressBar(total: 1000, isTerminal: false) == nil)
        #expect(ProgressBar(total: 9, isTerminal: true) == nil)
        #expect(ProgressBar(total: 10, isTerminal: true) != nil)
    }

    @Test func allBytesAreWrittenToANonBlockingDescriptor() throws {
        var ends: [Int32] = [0, 0]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue)
        try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
        let (reading, writing) = (ends[0], ends[1])
        let bytes = (0..<300_000).map { UInt8($0 % 251) }
        let writer = try PlatformThread(name: "writer") {
            bytes.withUnsafeBufferPointer { writeAll($0, to: writing) }
            close(writing)
        }
        defer { close(reading) }
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var item = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
        while poll(&item, 1, 20_000) == 1 {
            let count = read(reading, &buffer, buffer.count)
            guard count > 0 else { break }
            received += buffer[..<count]
        }
        writer.join()
        #expect(received == bytes)
    }
}
