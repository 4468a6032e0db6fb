import BifronsWire
import TestKit
import Testing

@testable import KnownImages

struct FloodGuardTests {
    private func signal(_ number: Int) -> Signal { Signal(.pdq, Bits256(UInt64(number))) }

    private func report(_ numbers: Int..., bank: String = "A", line: Int = 7) -> KnownImageReport {
        KnownImageReport(
            pdq: PDQ(Bits256(0)),
            matches: numbers.map {
                KnownImageReport.Match(
                    bank: bank, kind: .block, distance: 0, quality: 100, item: line, signal: signal($0),
                    quarantine: nil)
            })
    }

    private func time(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

    /// The treatment of one match after the other.
    private struct Outcome {
        var alerts: [FloodGuard.Alert] = []
        var kinds: [Bank.Kind: Int] = [:]
        var sampled = 0
        var last: KnownImageReport.Match?
    }

    /// Passes matches of item 1 at a steady rate.
    private func run(
        _ flood: inout FloodGuard, from start: Double, seconds: Double, perMinute: Double
    ) -> Outcome {
        var outcome = Outcome()
        let count = Int(seconds / 60 * perMinute)
        for number in 0..<count {
            var report = report(1)
            outcome.alerts += flood.judge(&report, at: time(start + Double(number) * 60 / perMinute))
            let match = report.matches[0]
            outcome.kinds[match.kind, default: 0] += 1
            outcome.sampled += match.quarantine == .sampled ? 1 : 0
            outcome.last = match
        }
        return outcome
    }

    @Test func tenThousandMatchesInAMinuteGiveOneAlertAndFewReviews() throws {
        var flood = FloodGuard()
        let outcome = run(&flood, from: 0, seconds: 60, perMinute: 10_000)
        let alert = try #require(outcome.alerts.first)
        #expect(outcome.alerts.count == 1)
        #expect(alert.bank == "A" && alert.item == 7 && alert.kind == .block)
        #expect(alert.recent > 60 && alert.recent < 62 && alert.usual < 1)
        #expect(
            alert.description.hasPrefix("item 7 of the bank A matched 60 times in about a minute, usually 0.0 times"))
        // Those before the excess are as usual.
        #expect(outcome.kinds[.block]! < 65)
        #expect(outcome.kinds[.block]! + outcome.kinds[.review]! == 10_000)
        #expect(outcome.sampled == 10)
        #expect(flood.quarantined(at: time(60)) == [FloodGuard.Item(bank: "A", signal: signal(1))])
    }

    @Test func fewMatchesAreNeverAFlood() {
        var flood = FloodGuard()
        let outcome = run(&flood, from: 0, seconds: 7200, perMinute: 55)
        #expect(outcome.alerts.isEmpty)
        #expect(outcome.kinds == [.block: 6600])
    }

    @Test func anItemIsComparedWithItsOwnPast() {
        var flood = FloodGuard(FloodGuard.Rule(past: .seconds(3600)))
        // Once it is used to 50 a minute, 400 are not ten times as many, but 2000 are.
        #expect(run(&flood, from: 0, seconds: 18_000, perMinute: 50).alerts.isEmpty)
        #expect(run(&flood, from: 18_000, seconds: 60, perMinute: 400).alerts.isEmpty)
        #expect(run(&flood, from: 18_060, seconds: 60, perMinute: 2000).alerts.count == 1)
        var new = FloodGuard(FloodGuard.Rule(past: .seconds(3600)))
        #expect(run(&new, from: 0, seconds: 60, perMinute: 400).alerts.count == 1)
    }

    @Test func otherItemsAndBanksAreAsUsual() {
        var flood = FloodGuard()
        _ = run(&flood, from: 0, seconds: 10, perMinute: 10_000)
        var both = report(2, 1)
        let bothAlerts = flood.judge(&both, at: time(11))
        #expect(bothAlerts.isEmpty)
        #expect(both.matches.map(\.kind) == [.block, .review])
        #expect(both.matches.map(\.quarantine) == [nil, .counted])
        var other = report(1, bank: "B")
        let otherAlerts = flood.judge(&other, at: time(11))
        #expect(otherAlerts.isEmpty)
        #expect(other.matches[0].kind == .block)
    }

    @Test func anItemKeepsItsPastWhenItsLineMoves() {
        var flood = FloodGuard()
        _ = run(&flood, from: 0, seconds: 10, perMinute: 10_000)
        var moved = report(1, line: 8)
        let movedAlerts = flood.judge(&moved, at: time(11))
        #expect(movedAlerts.isEmpty)
        #expect(moved.matches[0].kind == .review)
    }

    @Test func quarantineEndsAnHourAfterTheLastExcess() {
        var flood = FloodGuard()
        #expect(run(&flood, from: 0, seconds: 60, perMinute: 10_000).alerts.count == 1)
        var report = report(1)
        let reportAlerts = flood.judge(&report, at: time(3000))
        #expect(reportAlerts.isEmpty)
        #expect(report.matches[0].quarantine == .counted)
        // The recent matches decay over some minutes after the minute of the flood.
        #expect(run(&flood, from: 3600, seconds: 600, perMinute: 2).last?.kind == .block)
        #expect(flood.quarantined(at: time(4200)).isEmpty)
        #expect(run(&flood, from: 5000, seconds: 60, perMinute: 10_000).alerts.count == 1)
    }

    @Test func aFloodDoesNotBecomeUsual() {
        var flood = FloodGuard()
        let outcome = run(&flood, from: 0, seconds: 4 * 3600, perMinute: 200)
        #expect(outcome.alerts.count == 1)
        #expect(outcome.last?.kind == .review)
        // Ten for each hour.
        #expect(outcome.sampled == 40)
    }

    @Test func anItemThatTheOperatorVerifiedIsNeverQuarantined() throws {
        let bank = Bank(name: "A", kind: .block, verified: [signal(1)])
        var builder = Banks.Builder(maxItems: 9)
        builder.begin(bank)
        builder.beginFile("a.txt")
        for (line, number) in [1, 1 << 40 - 1].enumerated() {
            let isAdded = builder.add(signal(number), line: line + 1)
            #expect(isAdded)
        }
        let banks = builder.indexed()
        var flood = FloodGuard()
        for (number, kind) in [(1, Bank.Kind.block), (1 << 40 - 1, .review)] {
            var last: KnownImageReport.Match?
            for match in 0..<100 {
                var report = banks.report(on: signal(number))
                _ = flood.judge(&report, at: time(Double(match) / 10))
                last = report.matches.first
            }
            #expect(last?.kind == kind, "\(number)")
        }
        #expect(flood.quarantined(at: time(11)).map(\.signal) == [signal(1 << 40 - 1)])
    }

    @Test func theNumberOfItemsIsBounded() {
        var flood = FloodGuard(FloodGuard.Rule(maxItems: 100))
        _ = run(&flood, from: 0, seconds: 10, perMinute: 10_000)
        for number in 2..<2000 {
            var report = report(number)
            let reportAlerts = flood.judge(&report, at: time(10 + Double(number) / 100))
            #expect(reportAlerts.isEmpty)
            #expect(flood.count <= 100)
        }
        // The one in quarantine is not forgotten.
        #expect(flood.quarantined(at: time(40)).count == 1)
        #expect(run(&flood, from: 40, seconds: 10, perMinute: 60).kinds == [.review: 10])
    }

    @Test func aClockThatGoesBackDoesNoHarm() {
        var flood = FloodGuard()
        var alerts = 0
        for number in 0..<200 {
            var report = report(1)
            alerts += flood.judge(&report, at: time(1000 - Double(number) * 5)).count
        }
        #expect(alerts == 1)
    }
}
