import TestKit
import Testing

@testable import KnownImages

/// Looking images up. ``BanksLoadingTests`` has the files.
struct BanksTests {
    /// Returns banks, each with its signals on the lines of one file.
    private func banks(_ contents: [(Bank, [Signal])]) -> Banks {
        var builder = Banks.Builder(maxItems: 10_000)
        for (bank, signals) in contents {
            builder.begin(bank)
            builder.beginFile("\(bank.name).txt")
            for (index, signal) in signals.enumerated() {
                let isAdded = builder.add(signal, line: index + 1)
                #expect(isAdded)
            }
            builder.endFile(lines: signals.count)
        }
        return builder.indexed()
    }

    private func bank(_ name: String, _ kind: Bank.Kind = .block, distance: Int = 31) -> Bank {
        Bank(name: name, kind: kind, distance: distance)
    }

    @Test func aBankWithOneItemKnowsIt() {
        let banks = banks([(bank("ONE"), [Signal(.pdq, Bits256(7))])])
        let report = banks.report(on: PDQ(Bits256(7), quality: 97))
        #expect(report.pdq == PDQ(Bits256(7), quality: 97))
        #expect(
            report.matches == [
                KnownImageReport.Match(
                    bank: "ONE", kind: .block, distance: 0, quality: 97, item: 1, signal: Signal(.pdq, Bits256(7)),
                    quarantine: nil)
            ])
        #expect(banks.report(on: PDQ(Bits256(6))).matches.map(\.distance) == [1])
        #expect(banks.report(on: PDQ(Bits256(.max))).matches.isEmpty)
    }

    @Test func anImageOfLowQualityIsKnownByItsFileOnly() throws {
        let banks = banks([(bank("BOTH"), [Signal(.pdq, Bits256(7)), Signal(.sha256, Bits256(9))])])
        #expect(banks.report(on: PDQ(Bits256(7), quality: 49), sha256: Bits256(7)).matches.isEmpty)
        let known = banks.report(on: PDQ(Bits256(7), quality: 49), sha256: Bits256(9))
        #expect(known.matches.map(\.item) == [2])
        #expect(try #require(known.matches.first).isSHA256)
        #expect(banks.report(on: PDQ(Bits256(7), quality: 50)).matches.map(\.isSHA256) == [false])
    }

    @Test func noBankKnowsNothing() {
        #expect(Banks.none.report(on: PDQ(Bits256(7)), sha256: Bits256(7)).matches.isEmpty)
        #expect(Banks.none.count == 0)
        #expect(banks([(bank("EMPTY"), [])]).report(on: PDQ(Bits256(7)), sha256: Bits256(7)).matches.isEmpty)
    }

    @Test func eachBankHasItsOwnDistance() {
        let signals = [Signal(.pdq, Bits256(0))]
        let banks = banks([
            (bank("EXACT", distance: 0), signals), (bank("NEAR", distance: 3), signals),
            (bank("FAR", distance: 31), signals),
        ])
        func names(_ bits: Int) -> [String] {
            banks.report(on: PDQ(Bits256(0).flipping(0..<bits))).matches.map(\.bank)
        }
        #expect(names(0) == ["EXACT", "NEAR", "FAR"])
        #expect(names(1) == ["NEAR", "FAR"])
        #expect(names(3) == ["NEAR", "FAR"])
        #expect(names(4) == ["FAR"])
        #expect(names(31) == ["FAR"])
        #expect(names(32) == [])
    }

    @Test func aBankThatIsNotEnabledKnowsNothing() {
        let signals = [Signal(.pdq, Bits256(0)), Signal(.sha256, Bits256(0))]
        let off = Bank(name: "OFF", kind: .block, isEnabled: false)
        let banks = banks([(off, signals), (bank("ON", .allow, distance: 1), signals)])
        #expect(banks.banks.map(\.isEnabled) == [false, true])
        #expect(banks.count == 2)
        #expect(banks.report(on: PDQ(Bits256(0)), sha256: Bits256(0)).matches.map(\.bank) == ["ON", "ON"])
        // Nor does its distance count.
        #expect(banks.report(on: PDQ(Bits256(3))).matches.isEmpty)
    }

    @Test func matchesAreInOrder() {
        let banks = banks([
            (bank("ALLOW", .allow), [Signal(.pdq, Bits256(0)), Signal(.sha256, Bits256(5))]),
            (bank("REVIEW", .review), [Signal(.pdq, Bits256(1))]),
            (bank("BLOCK", .block), [Signal(.pdq, Bits256(7)), Signal(.pdq, Bits256(3)), Signal(.sha256, Bits256(5))]),
            (bank("BLOCK_TOO", .block), [Signal(.pdq, Bits256(1)), Signal(.pdq, Bits256(3))]),
        ])
        let matches = banks.report(on: PDQ(Bits256(0)), sha256: Bits256(5)).matches
        #expect(
            matches.map { "\($0.bank) \($0.item) \($0.distance)" } == [
                "BLOCK 3 0", "BLOCK_TOO 1 1", "BLOCK 2 2", "BLOCK_TOO 2 2", "BLOCK 1 3", "REVIEW 1 1", "ALLOW 2 0",
                "ALLOW 1 0",
            ])
        #expect(matches.allSatisfy { $0.quality == 100 && $0.quarantine == nil })
    }

    @Test func aReportHasTheBestOfEveryBank() {
        let many = (0..<300).map { Signal(.pdq, Bits256(UInt64($0))) }
        let banks = banks(
            [(bank("MANY"), many.reversed())]
                + (1..<Banks.maxBanks).map { (bank("B\($0)", .allow), Array(many.dropFirst($0))) })
        let matches = banks.report(on: PDQ(Bits256(0))).matches
        #expect(matches.count == KnownImageReport.maxMatches)
        #expect(Set(matches.map(\.bank)).count == Banks.maxBanks)
        let few = self.banks([(bank("MANY"), many)]).report(on: PDQ(Bits256(0))).matches
        #expect(few.map(\.item) == [1, 2, 3, 5])
        #expect(few.map(\.distance) == [0, 1, 1, 1])
    }

    @Test func aSignalCountsOnceInABank() {
        let twice = [Signal(.pdq, Bits256(7)), Signal(.pdq, Bits256(7)), Signal(.sha256, Bits256(7))]
        let banks = banks([(bank("A"), twice + twice), (bank("B"), twice)])
        #expect(banks.count == 4)
        let matches = banks.report(on: PDQ(Bits256(7)), sha256: Bits256(7)).matches
        #expect(matches.map { "\($0.bank) \($0.item)" } == ["A 3", "B 3", "A 1", "B 1"])
    }

    @Test func theNumberOfSignalsIsLimited() {
        var builder = Banks.Builder(maxItems: 2)
        builder.begin(bank("A"))
        builder.beginFile("a.txt")
        let areAdded = [Signal(.pdq, Bits256(1)), Signal(.sha256, Bits256(1)), Signal(.pdq, Bits256(2))].map {
            builder.add($0, line: 1)
        }
        #expect(areAdded == [true, true, false])
    }

    @Test func thousandsOfSignalsAreKnown() {
        var random = SeededGenerator(seed: 4)
        let signals = (0..<5000).map { _ in Signal(.sha256, random.bits()) }
        var builder = Banks.Builder(maxItems: 10_000)
        builder.begin(bank("A"))
        builder.beginFile("a.txt")
        for (index, signal) in signals.enumerated() { _ = builder.add(signal, line: index + 1) }
        let banks = builder.indexed()
        let unclear = PDQ(hash: Bits256(0), quality: 0)
        for (index, signal) in signals.enumerated() {
            #expect(banks.report(on: unclear, sha256: signal.bits).matches.map(\.item) == [index + 1])
            #expect(banks.report(on: unclear, sha256: signal.bits.flipping([index % 256])).matches.isEmpty)
        }
    }
}
