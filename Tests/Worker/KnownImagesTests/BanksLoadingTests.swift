import Glibc
import TestKit
import Testing

@testable import KnownImages

struct BanksLoadingTests {
    /// Returns the 64 digits of a small number.
    private static func digits(_ number: Int) -> String { Bits256(UInt64(number)).description }

    private static func json(_ banks: String) -> String { #"{"schema": 1, "banks": [\#(banks)]}"# }

    private static func bank(
        name: String = "A", kind: String = "block", more: String = "", files: String = #""a.txt""#
    ) -> String {
        #"{"name": "\#(name)", "kind": "\#(kind)", \#(more)"files": [\#(files)]}"#
    }

    /// Returns a folder with a good file `a.txt` and this `banks.json`.
    private func folder(_ json: String) throws -> Folder {
        let folder = try Folder()
        try folder.write("banks.json", json)
        try folder.write("a.txt", "pdq \(Self.digits(1))\n")
        return folder
    }

    /// Returns the problems of loading a folder, with its path left out; empty: none.
    private func problems(_ folder: Folder, maxItems: Int = 100) -> [String] {
        do {
            _ = try Banks.load(folder: folder.path, maxItems: maxItems)
            return []
        } catch {
            #expect(error.description == error.problems.joined(separator: "\n"))
            return error.problems.map { problem in
                problem.split(separator: folder.path + "/", omittingEmptySubsequences: false).joined()
            }
        }
    }

    @Test func foldersAreThoseOfAllFiles() throws {
        let (own, other) = (try Folder(), try Folder())
        try other.write("b.txt", "")
        try own.write("more/1.txt", "")
        try own.write("a.txt", "")
        try own.write("banks.json", Self.json(Self.bank(files: #""\#(other.path)/b.txt", "more", "a.txt""#)))
        #expect(
            try Banks.load(folder: own.path).folders == [own.path, "\(own.path)/more", other.path].sorted())
    }

    @Test func digestChangesWithEverythingThatMattersAndNothingElse() throws {
        let folder = try folder(Self.json(Self.bank() + "," + Self.bank(name: "B", more: #""enabled": false, "#)))
        func digest() throws -> String { try Banks.load(folder: folder.path).digest }
        let first = try digest()
        #expect(first.count == 64)
        try folder.write("a.txt", "pdq \(Self.digits(1))\n# the same signal in the same line\n")
        #expect(try digest() == first)
        var seen: Set = [first]
        for text in ["pdq \(Self.digits(2))", "sha256 \(Self.digits(1))", "\npdq \(Self.digits(1))", ""] {
            try folder.write("a.txt", text)
            #expect(seen.insert(try digest()).inserted, "\(text)")
        }
        try folder.write("a.txt", "pdq \(Self.digits(1))")
        for bank in [
            Self.bank(name: "C"), Self.bank(kind: "allow"), Self.bank(more: #""distance": 4, "#),
            Self.bank(more: #""enabled": false, "#),
        ] {
            try folder.write("banks.json", Self.json(bank))
            #expect(seen.insert(try digest()).inserted, "\(bank)")
        }
    }

    @Test func banksHaveFilesAndFolders() throws {
        let folder = try folder(
            Self.json(
                Self.bank() + ","
                    + Self.bank(
                        name: "PRESS_2", kind: "allow", more: #""distance": 4, "enabled": true, "#,
                        files: #""more", "a.txt""#) + ","
                    + Self.bank(name: "OFF", kind: "review", more: #""enabled": false, "#)))
        try folder.write("more/2.txt", "# second\nsha256 \(Self.digits(2))\r\n")
        try folder.write("more/1.txt", "pdq \(Self.digits(3))\n\npdq \(Self.digits(4))")
        try folder.write("more/notes.md", "not read")
        try folder.write("more/.hidden.txt", "not read")
        let banks = try Banks.load(folder: folder.path)
        #expect(
            banks.banks == [
                Bank(name: "A", kind: .block), Bank(name: "PRESS_2", kind: .allow, distance: 4),
                Bank(name: "OFF", kind: .review, isEnabled: false),
            ])
        #expect(banks.count == 5)
        let known = banks.report(on: PDQ(Bits256(4)), sha256: Bits256(2)).matches.filter { $0.kind == .allow }
        #expect(known.map(\.item) == [5, 3, 6, 1])
        let sources = [1, 3, 5, 6].map { banks.source(ofItem: $0, inBank: "PRESS_2") }
        #expect(
            sources.map { "\($0?.file.dropFirst(folder.path.count + 1) ?? "") \($0?.line ?? 0)" } == [
                "more/1.txt 1", "more/1.txt 3", "more/2.txt 2", "a.txt 1",
            ])
        #expect(banks.source(ofItem: 0, inBank: "A") == nil)
        #expect(banks.source(ofItem: 1, inBank: "B") == nil)
    }

    @Test func pathsMayBeAbsolute() throws {
        let other = try Folder()
        try other.write("b.txt", "pdq \(Self.digits(7))")
        let folder = try folder(Self.json(Self.bank(files: #""\#(other.path)/b.txt", "\#(other.path)""#)))
        #expect(try Banks.load(folder: folder.path).count == 1)
    }

    @Test func noBanksAndEmptyFilesAreFine() throws {
        let none = try folder(Self.json(""))
        #expect(try Banks.load(folder: none.path).count == 0)
        let folder = try folder(Self.json(Self.bank(files: #""empty.txt""#)))
        try folder.write("empty.txt", "")
        #expect(try Banks.load(folder: folder.path).report(on: PDQ(Bits256(0))).matches.isEmpty)
    }

    /// A bad `banks.json` and the beginning of each of its problems.
    @Test(arguments: [
        ("", ["banks.json is wrong: it is not valid JSON"]),
        ("{", ["banks.json is wrong: it is not valid JSON"]),
        ("[]", ["banks.json is wrong: the whole must be an object"]),
        (#"{"banks": []}"#, ["banks.json is wrong: schema is missing"]),
        (#"{"schema": 2, "banks": []}"#, ["'schema' of banks.json is 2; write 1"]),
        (#"{"schema": 1}"#, ["banks.json is wrong: banks is missing"]),
        (#"{"schema": 1, "bank": []}"#, ["'bank' of banks.json is not a field; write one of banks, schema"]),
        (
            json(bank(more: #""distanz": 3, "#)),
            ["'banks[0].distanz' of banks.json is not a field; write one of distance,"]
        ),
        (
            json(bank() + "," + bank(name: "B", more: #""distance": "3", "#)),
            ["banks.json is wrong: banks[1].distance must be a number;"]
        ),
        (json(bank(more: #""distance": 3.5, "#)), ["'banks[0].distance' of banks.json is 3.5; write a whole number"]),
        (json(bank(more: #""enabled": 1, "#)), ["banks.json is wrong: banks[0].enabled must be true or false;"]),
        (
            json(bank(more: #""distance": 32, "#)),
            ["'banks[0].distance' of banks.json is 32; write a whole number from 0 to 31"]
        ),
        (
            json(bank(more: #""verified": ["pdq \#(String(repeating: "f", count: 64))", "pdq f00"], "#)),
            ["'banks[0].verified[1]' of banks.json is no signal; write 'pdq' or 'sha256' and 64 hexadecimal digits"]
        ),
        (json(bank(more: #""distance": -1, "#)), ["'banks[0].distance' of banks.json is -1; write"]),
        (json(bank(name: "")), ["'banks[0].name' of banks.json is not a name; write 1 to 64 of"]),
        (json(bank(name: "press")), ["'banks[0].name' of banks.json is not a name"]),
        (json(bank(name: "A-B")), ["'banks[0].name' of banks.json is not a name"]),
        (json(bank(name: String(repeating: "A", count: 65))), ["'banks[0].name' of banks.json is not a name"]),
        (json(bank() + "," + bank()), ["'banks[1].name' of banks.json is A, as of a bank before it; give"]),
        (json(bank(kind: "blok")), ["'banks[0].kind' of banks.json is not a kind; write one of block, review, allow"]),
        (json(bank(files: "")), ["'banks[0].files' of banks.json has 0 files; name 1 to 1000"]),
        (json(bank(files: #""""#)), ["'banks[0].files' of banks.json has an empty path"]),
        (json(bank(files: #""a.txt", "a.txt""#)), ["'banks[0].files' of banks.json has a path twice"]),
        (
            json(bank(name: "a", kind: "b", more: #""distance": 99, "#)),
            ["'banks[0].name' of", "'banks[0].kind' of", "'banks[0].distance' of"]
        ),
        (
            json((0...32).map { bank(name: "B\($0)") }.joined(separator: ",")),
            ["banks.json has 33 banks; put the images into at most 32"]
        ),
    ])
    func aWrongDeclarationIsRefused(json: String, beginnings: [String]) throws {
        let problems = problems(try folder(json))
        #expect(problems.count == beginnings.count, "\(problems)")
        for (problem, beginning) in zip(problems, beginnings) { #expect(problem.hasPrefix(beginning), "\(problem)") }
    }

    @Test func allWrongLinesAreTold() throws {
        let folder = try folder(
            Self.json(Self.bank(files: #""a.txt", "b.txt""#) + "," + Self.bank(name: "B", files: #""c.txt""#)))
        try folder.write("b.txt", "pdq \(Self.digits(1))\nmd5 12\npdq 12\n")
        try folder.write("c.txt", "\n\nsha256 x")
        #expect(
            problems(folder) == [
                "line 2 of b.txt has a signal of the type 'md5'; write 'pdq' or 'sha256' and 64 hexadecimal digits, or "
                    + "remove the line",
                "line 3 of b.txt has 2 characters after 'pdq'; write 'pdq' or 'sha256' and 64 hexadecimal digits, or "
                    + "remove the line",
                "line 3 of c.txt has 1 characters after 'sha256'; write 'pdq' or 'sha256' and 64 hexadecimal digits, or "
                    + "remove the line",
            ])
    }

    @Test func aFileThatIsNoneIsToldUpToTwentyTimes() throws {
        let folder = try folder(Self.json(Self.bank()))
        try folder.write("a.txt", [UInt8](repeating: 0x0A, count: 3) + (0..<100_000).map { UInt8($0 & 255) })
        let problems = problems(folder)
        #expect(problems.count == BanksError.maxProblems)
        #expect(problems[0].hasPrefix("line 4 of a.txt "))
    }

    @Test func aBankThatIsNotEnabledIsCheckedToo() throws {
        let folder = try folder(Self.json(Self.bank(more: #""enabled": false, "#)))
        try folder.write("a.txt", "pdq 0")
        #expect(problems(folder).count == 1)
    }

    @Test func whatCannotBeReadIsTold() throws {
        let empty = try Folder()
        #expect(
            problems(empty) == [
                "banks.json cannot be read (No such file or directory); name a folder that holds a banks.json"
            ])
        let folder = try folder(Self.json(Self.bank(files: #""none.txt", "b", "pipe""#)))
        try folder.write("b/c.md", "")
        #expect(mkfifo("\(folder.path)/pipe", 0o600) == 0)
        #expect(
            problems(folder) == [
                "none.txt cannot be read (No such file or directory); correct 'banks[0].files' of banks.json",
                "the folder b has no file *.txt; put one there, or correct 'banks[0].files' of banks.json",
                "pipe cannot be read (Invalid argument); make it a readable file",
            ])
        try folder.write("banks.json", [UInt8](repeating: 0x20, count: 1 << 20 + 1))
        #expect(problems(folder).map { $0.hasPrefix("banks.json cannot be read (File too large)") } == [true])
    }

    @Test func tooManySignalsAreToldOnce() throws {
        let folder = try folder(Self.json(Self.bank(files: #""a.txt", "b.txt", "c.txt""#)))
        try folder.write("b.txt", (2...9).map { "pdq \(Self.digits($0))\n" }.joined())
        try folder.write("c.txt", "wrong")
        #expect(problems(folder, maxItems: 10).count == 1)
        #expect(
            problems(folder, maxItems: 5) == [
                "line 5 of b.txt is beyond the 5 signals that all banks may have; shorten them"
            ])
    }

    @Test func banksThatCannotBeReloadedStayAsTheyWere() throws {
        let folder = try folder(Self.json(Self.bank()))
        var banks = try Banks.load(folder: folder.path)
        try folder.write("a.txt", "pdq \(Self.digits(2))\npdq 0\n")
        #expect(throws: BanksError.self) { banks = try Banks.load(folder: folder.path) }
        #expect(banks.report(on: PDQ(Bits256(1))).matches.map(\.distance) == [0])
        try folder.write("a.txt", "pdq \(Self.digits(2))\n")
        banks = try Banks.load(folder: folder.path)
        #expect(banks.report(on: PDQ(Bits256(1))).matches.map(\.distance) == [2])
    }

    @Test func anyBytesGiveBanksOrAnError() throws {
        var random = SeededGenerator(seed: 5)
        let good = Array(Self.json(Self.bank(more: #""distance": 3, "#)).utf8)
        for _ in 0..<1000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            do {
                let file = try BanksFile(json: bytes, path: "banks.json")
                #expect(file.entries.allSatisfy { Bank.isName($0.bank.name) })
            } catch {
                #expect(!error.problems.isEmpty)
            }
        }
    }
}
