import Files
import FoundationEssentials

/// The contents of `banks.json`: the banks and their signal files.
struct BanksFile {
    /// A bank and its files.
    struct Entry {
        let bank: Bank
        /// Paths of files and folders, relative to the folder of `banks.json` unless they begin with `/`.
        let files: [String]
    }

    static let name = "banks.json"
    /// The version of the format.
    static let schema = 1
    /// The maximum size in bytes.
    static let maxBytes = 1 << 20
    /// The maximum number of paths of a bank.
    static let maxFiles = 1000

    let entries: [Entry]

    /// Parses and checks the file.
    ///
    /// - Parameters:
    ///   - json: The text.
    ///   - path: The name of the text in errors.
    /// - Throws: ``BanksError`` with a sentence for each problem.
    init(json: [UInt8], path: String) throws(BanksError) {
        let contents: Contents
        do {
            contents = try JSONDecoder().decode(Contents.self, from: Data(json))
        } catch let error as UnknownField {
            throw BanksError("'\(error.field)' of \(path) is not a field; write one of \(error.known)")
        } catch {
            let complaint = (error as? DecodingError)?.complaint ?? "it is not valid JSON"
            throw BanksError("\(path) is wrong: \(complaint); write it as docs/known-images.md describes")
        }
        var problems = BanksError()
        if contents.schema != Self.schema {
            problems.add("'schema' of \(path) is \(contents.schema); write \(Self.schema)")
        }
        if contents.banks.count > Banks.maxBanks {
            problems.add("\(path) has \(contents.banks.count) banks; put the images into at most \(Banks.maxBanks)")
        }
        var names: Set<String> = []
        entries = contents.banks.enumerated().compactMap { number, fields in
            fields.entry("banks[\(number)]", of: path, names: &names, problems: &problems)
        }
        guard problems.problems.isEmpty else { throw problems }
    }

    private struct Contents: Decodable {
        enum CodingKeys: String, CodingKey, CaseIterable { case schema, banks }

        var schema: Int
        var banks: [Fields]

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(onlyOf: CodingKeys.self)
            schema = try values.decode(Int.self, forKey: .schema)
            banks = try values.decode([Fields].self, forKey: .banks)
        }
    }

    /// The fields of a bank before their values are checked.
    private struct Fields: Decodable {
        enum CodingKeys: String, CodingKey, CaseIterable { case name, kind, distance, enabled, files, verified }

        var name: String
        var kind: String
        var distance: Double
        var enabled: Bool
        var files: [String]
        var verified: [String]

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(onlyOf: CodingKeys.self)
            name = try values.decode(String.self, forKey: .name)
            kind = try values.decode(String.self, forKey: .kind)
            distance = try values.decodeIfPresent(Double.self, forKey: .distance) ?? Double(HashIndex.maxDistance)
            enabled = try values.decodeIfPresent(Bool.self, forKey: .enabled) ?? true
            files = try values.decode([String].self, forKey: .files)
            verified = try values.decodeIfPresent([String].self, forKey: .verified) ?? []
        }

        /// Checks the values. Returns nil after adding the problems if any is wrong.
        func entry(
            _ field: String, of path: String, names: inout Set<String>, problems: inout BanksError
        ) -> Entry? {
            let before = problems.problems.count
            if !Bank.isName(name) {
                problems.add(
                    "'\(field).name' of \(path) is not a name; write 1 to \(Bank.nameBytes) of the characters A-Z, 0-9 and _"
                )
            } else if !names.insert(name).inserted {
                problems.add(
                    "'\(field).name' of \(path) is \(name), as of a bank before it; give each bank its own name")
            }
            let read = Bank.Kind(rawValue: kind)
            if read == nil {
                let kinds = Bank.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                problems.add("'\(field).kind' of \(path) is not a kind; write one of \(kinds)")
            }
            let bits = Int(exactly: distance)
            if bits.map({ (0...HashIndex.maxDistance).contains($0) }) != true {
                problems.add(
                    "'\(field).distance' of \(path) is \(bits.map(String.init) ?? "\(distance)"); write a whole number "
                        + "from 0 to \(HashIndex.maxDistance)"
                )
            }
            if !(1...BanksFile.maxFiles).contains(files.count) {
                problems.add(
                    "'\(field).files' of \(path) has \(files.count) files; name 1 to \(BanksFile.maxFiles) files or folders"
                )
            }
            if files.contains(where: { $0.isEmpty || $0.utf8.contains(0) }) {
                problems.add("'\(field).files' of \(path) has an empty path; name a file or folder")
            } else if Set(files).count < files.count {
                problems.add("'\(field).files' of \(path) has a path twice; name each file once")
            }
            let signals = verified.map { line in Array(line.utf8).withUnsafeBytes { Signal(line: $0) } }
            if let number = signals.firstIndex(of: nil) {
                problems.add(
                    "'\(field).verified[\(number)]' of \(path) is no signal; write 'pdq' or 'sha256' and 64 hexadecimal "
                        + "digits, as in the bank's file")
            }
            guard problems.problems.count == before, let read, let bits else { return nil }
            let bank = Bank(
                name: name, kind: read, distance: bits, isEnabled: enabled, verified: Set(signals.compactMap(\.self)))
            return Entry(bank: bank, files: files)
        }
    }
}

/// The error about a field that the format does not have, for instance a misspelt one.
private struct UnknownField: Error {
    let field: String
    /// The fields of the format, separated by commas.
    let known: String
}

private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }

    init?(intValue: Int) { nil }
}

extension Decoder {
    /// Returns the object's container.
    ///
    /// - Throws: `UnknownField` if the object has a field that is none of the keys.
    fileprivate func container<Key: CodingKey & CaseIterable>(
        onlyOf keys: Key.Type
    ) throws -> KeyedDecodingContainer<Key> {
        let known = Key.allCases.map(\.stringValue).sorted()
        let given = try container(keyedBy: AnyKey.self).allKeys.map(\.stringValue).sorted()
        if let unknown = given.first(where: { !known.contains($0) }) {
            let place = codingPath.reduce("") { path, key in
                if let index = key.intValue { return "\(path)[\(index)]" }
                return path.isEmpty ? key.stringValue : "\(path).\(key.stringValue)"
            }
            throw UnknownField(
                field: place.isEmpty ? unknown : "\(place).\(unknown)", known: known.joined(separator: ", "))
        }
        return try container(keyedBy: Key.self)
    }
}
