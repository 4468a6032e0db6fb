/// Which word was meant.
package enum Suggestion {
    /// The name that is the fewest changed letters away from a word, if that is at most two.
    package static func closest(to word: String, among names: [String]) -> String? {
        names.map { (distance($0, word), $0) }.filter { $0.0 <= 2 }.min { $0.0 < $1.0 }?.1
    }

    /// Levenshtein's distance in Unicode scalars, one row at a time (Wagner and Fischer 1974).
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right.unicodeScalars)
        var row = Array(0...right.count)
        for (index, scalar) in left.unicodeScalars.enumerated() {
            var diagonal = index
            row[0] = index + 1
            for column in right.indices {
                let substituted = diagonal + (scalar == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(substituted, diagonal + 1, row[column] + 1)
            }
        }
        return row[right.count]
    }
}
