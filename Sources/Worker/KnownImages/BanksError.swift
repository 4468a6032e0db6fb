/// Why banks could not be loaded.
package struct BanksError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The maximum number of problems. Loading stops when it is reached.
    package static let maxProblems = 20

    /// One sentence for each problem: what is wrong, where, and what to do.
    package private(set) var problems: [String]

    init(_ problems: String...) {
        self.problems = problems
    }

    /// The problems, one on each line.
    package var description: String { problems.joined(separator: "\n") }

    var isFull: Bool { problems.count >= Self.maxProblems }

    /// Adds a problem, unless the maximum is reached.
    mutating func add(_ problem: String) {
        if !isFull { problems.append(problem) }
    }
}
