/// A hard binding of a manifest to the bytes of its file: the assertions `c2pa.hash.data`, `c2pa.hash.boxes` and
/// `c2pa.hash.bmff`.
struct Binding {
    let file: ByteView
    let container: Container
    let manifestStore: Container.Store
    /// The algorithm of hashes that do not name their own.
    let algorithm: String?
    /// Whether the store grew by update manifests after the binding was made.
    let isUpdated: Bool
    let effort: Effort

    /// The bytes of the file that the manifest store takes.
    private var store: Range<Int> { manifestStore.range }

    /// The names of the assertions.
    static let names = ["c2pa.hash.data", "c2pa.hash.bmff", "c2pa.hash.boxes"]

    struct Outcome {
        var isMatch: Bool
        /// Whether every byte outside of the manifest store is covered.
        var coversAll: Bool
        var code: String
        /// A code for information; nil if there is none.
        var information: String?
    }

    func check(_ assertion: ClaimManifest.Assertion) throws(EvidenceError) -> Outcome {
        let value = try assertion.value(effort)
        switch assertion.name {
        case "c2pa.hash.data": return try checkData(value)
        case "c2pa.hash.boxes": return try checkBoxes(value)
        default: return try checkISOMedia(value, hasOffsets: assertion.box.label.hasPrefix("c2pa.hash.bmff.v"))
        }
    }

    /// A range of bytes that a hash leaves out.
    private struct Exclusion {
        var start: Int
        var length: Int
        var end: Int { start + length }
    }

    // MARK: Data hash

    /// Checks the hash of the whole file without some ranges (C2PA specification, 18.5).
    private func checkData(_ value: Value?) throws(EvidenceError) -> Outcome {
        var outcome = Outcome(isMatch: false, coversAll: false, code: "assertion.dataHash.mismatch")
        guard let value, value["url"] == nil, let hash = value["hash"]?.bytes else { return outcome }
        var exclusions: [Exclusion] = []
        for entry in value["exclusions"]?.array ?? [] {
            guard let start = entry["start"]?.int, let length = entry["length"]?.int, start >= 0, length >= 0,
                start <= file.count, length <= file.count
            else { return outcome }
            exclusions.append(Exclusion(start: start, length: length))
        }
        if isUpdated, let index = exclusions.firstIndex(where: { $0.start == store.lowerBound }) {
            let grown = max(store.count - exclusions[index].length, 0)
            exclusions[index].length = store.count
            for other in exclusions.indices where exclusions[other].start > store.lowerBound {
                exclusions[other].start += grown
            }
        }
        if exclusions.count > 1 { outcome.information = "assertion.dataHash.additionalExclusionsPresent" }
        outcome.coversAll = exclusions.allSatisfy {
            $0.length == 0
                || manifestStore.isInOnePlace && $0.start >= store.lowerBound && $0.end <= store.upperBound
        }
        guard let found = try digest(without: exclusions, value["alg"]?.text ?? algorithm, marks: []) else {
            return outcome
        }
        if found == hash {
            outcome.isMatch = true
            outcome.code = "assertion.dataHash.match"
        }
        return outcome
    }

    /// Returns the digest of the file without some ranges; nil if one of them ends behind the file, or the algorithm is
    /// unknown.
    ///
    /// - Parameter marks: Offsets that are hashed themselves, as eight bytes, before the byte there.
    private func digest(
        without exclusions: [Exclusion], _ algorithm: String?, marks: [Int]
    ) throws(EvidenceError) -> [UInt8]? {
        guard let digest = Digest(algorithm ?? "sha256") else { return nil }
        let sorted = exclusions.filter { $0.length > 0 }.sorted { $0.start < $1.start }
        guard sorted.allSatisfy({ $0.end <= file.count }) else { return nil }
        var marks = marks.sorted()[...]
        var offset = 0
        /// Hashes up to `end`, with the marks before it.
        func add(upTo end: Int, isHashed: Bool) throws(EvidenceError) {
            while let mark = marks.first, mark < end {
                marks.removeFirst()
                if isHashed, let piece = file.slice(offset, mark - offset) { try digest.add(piece, effort) }
                digest.add([56, 48, 40, 32, 24, 16, 8, 0].map { UInt8(mark >> $0 & 255) })
                offset = max(offset, mark)
            }
            if isHashed, let piece = file.slice(offset, end - offset) { try digest.add(piece, effort) }
            offset = max(offset, end)
        }
        for exclusion in sorted {
            try effort.item()
            if exclusion.start > offset { try add(upTo: exclusion.start, isHashed: true) }
            if exclusion.end > offset { try add(upTo: exclusion.end, isHashed: false) }
        }
        try add(upTo: file.count, isHashed: true)
        return digest.finished()
    }

    // MARK: General box hash

    /// Checks the hashes of the file's parts in their order (C2PA specification, 18.7).
    private func checkBoxes(_ value: Value?) throws(EvidenceError) -> Outcome {
        let mismatch = Outcome(isMatch: false, coversAll: false, code: "assertion.boxesHash.mismatch")
        guard let boxes = value?["boxes"]?.array, !boxes.isEmpty, !container.parts.isEmpty else { return mismatch }
        var parts = container.parts[...]
        // Older programs do not count a PNG's signature.
        if parts.first?.name == "PNGh", boxes[0]["names"]?.array?.first?.text != "PNGh" { parts.removeFirst() }
        var coversAll = true
        for box in boxes {
            guard let names = box["names"]?.array, !names.isEmpty else { return mismatch }
            var range: Range<Int>?
            for name in names {
                try effort.item()
                guard let part = parts.popFirst(), part.name == name.text else { return mismatch }
                range = (range?.lowerBound ?? part.range.lowerBound)..<part.range.upperBound
            }
            if names[0].text == Container.storeName {
                guard names.count == 1 else { return mismatch }
                continue
            }
            if box["excluded"]?.bool == true {
                coversAll = false
                continue
            }
            guard box["exclusions"] == nil, let range, let bytes = file.slice(range.lowerBound, range.count),
                let hash = box["hash"]?.bytes,
                try Digest.of(bytes, box["alg"]?.text ?? algorithm ?? "sha256", effort) == hash
            else { return mismatch }
        }
        // What the assertion does not name is not covered, such as bytes behind the end of the image.
        coversAll = coversAll && parts.isEmpty && container.parts.last?.range.upperBound == file.count
        return Outcome(isMatch: true, coversAll: coversAll, code: "assertion.boxesHash.match")
    }

    // MARK: Hash of an ISO media file

    /// Checks the hash of the boxes of an AVIF or HEIC (C2PA specification, 18.6). From version 2 on, the offset of
    /// each box of the highest level precedes its bytes.
    private func checkISOMedia(_ value: Value?, hasOffsets: Bool) throws(EvidenceError) -> Outcome {
        var outcome = Outcome(isMatch: false, coversAll: false, code: "assertion.bmffHash.mismatch")
        guard container.kind == .isoMedia, let value, value["url"] == nil, value["merkle"] == nil,
            let hash = value["hash"]?.bytes
        else { return outcome }
        let boxes = try ISOMediaContainer.boxes(file, effort)
        var marks = Set(hasOffsets ? boxes.map(\.range.lowerBound) : [])
        var exclusions: [Exclusion] = []
        outcome.coversAll = true
        for rule in value["exclusions"]?.array ?? [] {
            guard let path = rule["xpath"]?.text else { return outcome }
            if !["/uuid", "/ftyp", "/mfra"].contains(path) {
                outcome.information = "assertion.bmffHash.additionalExclusionsPresent"
            }
            for range in try ranges(at: path, boxes) where matches(rule, range) {
                let isHarmless = ["/uuid", "/ftyp", "/free", "/skip", "/mfra"].contains(path)
                outcome.coversAll = outcome.coversAll && isHarmless
                if let subsets = rule["subset"]?.array {
                    for subset in subsets {
                        guard let offset = subset["offset"]?.int, let length = subset["length"]?.int, offset >= 0,
                            length >= 0, offset <= range.count
                        else { continue }
                        let most = range.count - offset
                        exclusions.append(
                            Exclusion(start: range.lowerBound + offset, length: length == 0 ? most : min(length, most)))
                    }
                } else {
                    exclusions.append(Exclusion(start: range.lowerBound, length: range.count))
                    marks.remove(range.lowerBound)
                }
            }
        }
        if try digest(without: exclusions, value["alg"]?.text ?? algorithm, marks: Array(marks)) == hash {
            outcome.isMatch = true
            outcome.code = "assertion.bmffHash.match"
        }
        return outcome
    }

    /// Returns the ranges of the boxes at a path such as `/meta/iloc`.
    private func ranges(at path: String, _ top: [ISOMediaContainer.Box]) throws(EvidenceError) -> [Range<Int>] {
        let names = path.split(separator: "/").map(String.init)
        guard let first = names.first, names.count <= effort.limits.depth else { return [] }
        var found = top.filter { $0.type == first }.map { (range: $0.range, payload: $0.payload, type: $0.type) }
        for name in names.dropFirst() {
            var next: [(range: Range<Int>, payload: ByteView, type: String)] = []
            for box in found {
                // `meta` has a version and flags before its boxes.
                let skipped = box.type == "meta" ? 4 : 0
                let start = box.range.upperBound - box.payload.count + skipped
                for inner in try ISOMediaContainer.boxes(box.payload.dropping(skipped), effort) where inner.type == name
                {
                    let range = start + inner.range.lowerBound..<start + inner.range.upperBound
                    next.append((range, inner.payload, inner.type))
                }
            }
            found = next
        }
        return found.map(\.range)
    }

    /// Whether a box has the length, version, flags and bytes that a rule wants.
    private func matches(_ rule: Value, _ range: Range<Int>) -> Bool {
        guard let box = file.slice(range.lowerBound, range.count) else { return false }
        if let length = rule["length"]?.int, length != range.count { return false }
        if let version = rule["version"]?.int, let found = box[8], version != Int(found) { return false }
        if let flags = rule["flags"]?.bytes, flags.count >= 3 {
            guard let found = box.slice(9, 3) else { return false }
            let isExact = rule["exact"]?.bool ?? true
            for (wanted, flag) in zip(flags, found.buffer) where isExact ? wanted != flag : wanted | flag != wanted {
                return false
            }
        }
        for entry in rule["data"]?.array ?? [] {
            guard let offset = entry["offset"]?.int, let wanted = entry["value"]?.bytes, box.has(wanted, at: offset)
            else { return false }
        }
        return true
    }
}
