/// Guesses which name a user meant by a mistyped word.
package enum Suggestion {
    /// Returns the name with the lowest edit distance from a word, or nil if none has a distance of at most two.
    package static func closest(to word: String, among names: [String]) -> String? {
        names.map { (distance($0, word), $0) }.filter { $0.0 <= 2 }.min { $0.0 < $1.0 }?.1
    }

    /// Returns the Levenshtein distance in Unicode scalars, computed row by row (Wagner and Fischer 1974).
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
