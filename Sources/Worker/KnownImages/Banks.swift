internal import Hashing

/// All banks of an operator, loaded and indexed. The value is immutable: to reload, load a new value and replace the
/// old one.
///
/// Takes 100 bytes for each PDQ hash and 4 MiB, and 41 to 47 bytes for each SHA-256. Loading takes another 5 to 11
/// bytes for each PDQ hash of the largest bank. During a reload, both values are in memory.
package struct Banks: Sendable {
    /// The maximum number of banks.
    package static let maxBanks = 32
    /// The maximum number of signals in all banks.
    package static let maxItems = 20_000_000

    /// No banks.
    package static let none = Builder(maxItems: 0).indexed()

    /// All banks, including disabled ones, in the order of `banks.json`.
    package let banks: [Bank]
    private let index: HashIndex
    /// The item number of each hash of the index.
    private let items: [UInt32]
    /// The position of the first hash of each bank in the index.
    private let firsts: [Int]
    /// The SHA-256 digests of all banks, and the item number of each.
    private let digests: [Bits256]
    private let digestItems: [UInt32]
    /// For each bank, the table of its positions in `digests`.
    private let digestsOfBank: [DistinctBits]
    /// For each bank, its files in order, each with the number of lines in the files before it.
    private let filesOfBank: [[(path: String, linesBefore: Int)]]

    /// The number of distinct signals in the enabled banks.
    package var count: Int { index.hashes.count + digests.count }

    /// Looks up an image in all enabled banks.
    ///
    /// - Parameters:
    ///   - pdq: The hash of the image. If its quality is too low, only `sha256` can match.
    ///   - sha256: The digest of the image file; nil: only the hash is looked up.
    package func report(on pdq: PDQ, sha256: Bits256? = nil) -> KnownImageReport {
        var best = [[Hit]](repeating: [], count: banks.count)
        if pdq.isReliable, let distance = banks.lazy.filter(\.isEnabled).map(\.distance).max() {
            index.search(within: distance, of: pdq.hash) { position, distance in
                let bank = bank(of: position)
                guard distance <= banks[bank].distance else { return }
                let hit = Hit(isSHA256: false, distance: distance, bank: bank, position: position)
                best[bank].keep(hit, atMost: KnownImageReport.matchesOfBank)
            }
        }
        if let sha256 {
            for (bank, known) in digestsOfBank.enumerated() {
                guard let position = known.position(of: sha256, in: digests) else { continue }
                best[bank].keep(
                    Hit(isSHA256: true, distance: 0, bank: bank, position: position),
                    atMost: KnownImageReport.matchesOfBank)
            }
        }
        // The best match of every bank, then the second best of every bank, and so on.
        let ranked = (0..<KnownImageReport.matchesOfBank).flatMap { rank in
            best.compactMap { rank < $0.count ? $0[rank] : nil }.sorted { order($0) < order($1) }
        }
        let hits = ranked.prefix(KnownImageReport.maxMatches).sorted { order($0) < order($1) }
        return KnownImageReport(pdq: pdq, matches: hits.map { match($0, quality: pdq.quality) })
    }

    /// Looks up a signal in all enabled banks.
    package func report(on signal: Signal) -> KnownImageReport {
        switch signal.kind {
        case .pdq: report(on: PDQ(hash: signal.bits, quality: 100))
        case .sha256: report(on: .none, sha256: signal.bits)
        }
    }

    /// Returns the file and the line number, from 1, of an item; nil if the bank has no such line.
    package func source(ofItem item: Int, inBank name: String) -> (file: String, line: Int)? {
        guard let bank = banks.firstIndex(where: { $0.name == name }), item >= 1,
            let file = filesOfBank[bank].last(where: { $0.linesBefore < item })
        else { return nil }
        return (file.path, item - file.linesBefore)
    }

    /// The folders of all signal files, including those of disabled banks, in order and each once.
    package var folders: [String] {
        Set(filesOfBank.joined().map { file in file.path.lastIndex(of: "/").map { String(file.path[..<$0]) } ?? "." })
            .sorted()
    }

    /// The SHA-256, in 64 hexadecimal digits, of all that lookups depend on: the declarations of the banks, and the
    /// signals of the enabled ones with their item numbers.
    package var digest: String {
        var parts: [[UInt8]] = []
        func add<Element>(_ values: [Element]) {
            parts.append(values.withUnsafeBytes { SHA256.digest(of: $0) })
        }
        for bank in banks {
            add(Array("\(bank.name) \(bank.kind.rawValue) \(bank.distance) \(bank.isEnabled)".utf8))
            add(Array(bank.verified.map { "\($0.kind.rawValue) \($0.bits)" }.sorted().joined(separator: ",").utf8))
        }
        add(index.hashes)
        add(items)
        add(firsts)
        add(digests)
        add(digestItems)
        add(digestsOfBank.map(\.count))
        return SHA256.hexDigest(of: Array(parts.joined()))
    }

    /// Returns the bank of a hash of the index.
    private func bank(of position: Int) -> Int {
        (firsts.firstIndex { $0 > position } ?? firsts.count) - 1
    }

    /// A match before it becomes part of a report.
    fileprivate struct Hit {
        let isSHA256: Bool
        let distance: Int
        let bank: Int
        /// The position in the index, or in `digests`.
        let position: Int

        /// The sort key within a bank.
        var order: (Int, Int, Int) { (isSHA256 ? 0 : 1, distance, position) }
    }

    /// Returns the sort key of a match in a report.
    private func order(_ hit: Hit) -> (Int, Int, Int, Int, Int) {
        let kind = Bank.Kind.allCases.firstIndex(of: banks[hit.bank].kind) ?? 0
        return (kind, hit.isSHA256 ? 0 : 1, hit.distance, hit.bank, hit.position)
    }

    private func match(_ hit: Hit, quality: Int) -> KnownImageReport.Match {
        let bank = banks[hit.bank]
        let (bits, item) =
            hit.isSHA256
            ? (digests[hit.position], digestItems[hit.position]) : (index.hashes[hit.position], items[hit.position])
        let signal = Signal(hit.isSHA256 ? .sha256 : .pdq, bits)
        return KnownImageReport.Match(
            bank: bank.name, kind: bank.kind, distance: hit.distance, quality: quality, item: Int(item),
            signal: signal, isVerified: bank.verified.contains(signal), quarantine: nil)
    }
}

extension [Banks.Hit] {
    /// Inserts a hit in order, and removes the worst one if there are more than `limit`.
    fileprivate mutating func keep(_ hit: Element, atMost limit: Int) {
        if count == limit, let last, last.order < hit.order { return }
        insert(hit, at: firstIndex { hit.order < $0.order } ?? count)
        if count > limit { removeLast() }
    }
}

extension Banks {
    /// Collects the signals of one bank after the other, and indexes them.
    struct Builder {
        private var banks: [Bank] = []
        private var hashes: [Bits256] = []
        private var items: [UInt32] = []
        private var firsts: [Int] = []
        /// The hashes of the last bank, to skip duplicates.
        private var known = DistinctBits()
        private var digests: [Bits256] = []
        private var digestItems: [UInt32] = []
        private var digestsOfBank: [DistinctBits] = []
        private var filesOfBank: [[(path: String, linesBefore: Int)]] = []
        /// The number of lines in the completed files of the last bank.
        private var lines = 0
        private let maxItems: Int

        init(maxItems: Int) {
            self.maxItems = maxItems
        }

        mutating func begin(_ bank: Bank) {
            banks.append(bank)
            firsts.append(hashes.count)
            known = DistinctBits()
            digestsOfBank.append(DistinctBits())
            filesOfBank.append([])
            lines = 0
        }

        mutating func beginFile(_ path: String) {
            filesOfBank[filesOfBank.count - 1].append((path, lines))
        }

        /// Adds a signal to the last bank. Ignores signals that the bank already has, and those of disabled banks.
        ///
        /// - Parameters:
        ///   - signal: The signal.
        ///   - line: Its line in the last file, from 1.
        /// - Returns: False if the maximum number of signals is reached.
        mutating func add(_ signal: Signal, line: Int) -> Bool {
            guard let bank = banks.last, bank.isEnabled else { return true }
            guard hashes.count + digests.count < maxItems else { return false }
            let item = UInt32(truncatingIfNeeded: lines + line)
            switch signal.kind {
            case .pdq:
                hashes.append(signal.bits)
                if known.insert(hashes.count - 1, in: hashes) { items.append(item) } else { hashes.removeLast() }
            case .sha256:
                digests.append(signal.bits)
                if digestsOfBank[banks.count - 1].insert(digests.count - 1, in: digests) {
                    digestItems.append(item)
                } else {
                    digests.removeLast()
                }
            }
            return true
        }

        mutating func endFile(lines count: Int) {
            lines += count
        }

        /// Indexes all signals.
        consuming func indexed() -> Banks {
            known = DistinctBits()
            return Banks(
                banks: banks, index: HashIndex(hashes), items: items, firsts: firsts, digests: digests,
                digestItems: digestItems, digestsOfBank: digestsOfBank, filesOfBank: filesOfBank)
        }
    }
}
