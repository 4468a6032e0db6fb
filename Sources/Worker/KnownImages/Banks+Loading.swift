import Files
import Glibc

extension Banks {
    /// The maximum size in bytes of all signal files together.
    package static let maxBytes = 4_000_000_000
    /// The maximum number of files in a folder.
    package static let maxFilesInFolder = 10_000
    /// The suffix of the files that are read from a folder.
    package static let fileSuffix = ".txt"

    /// Loads and indexes the banks that `banks.json` in `folder` declares.
    ///
    /// Checks all files, including those of disabled banks. Returns all banks or throws an error.
    ///
    /// - Parameters:
    ///   - folder: The folder that holds `banks.json`.
    ///   - maxItems: The maximum number of signals in all banks.
    /// - Throws: ``BanksError`` with a sentence for each problem, up to 20 of them.
    package static func load(folder: String, maxItems: Int = Banks.maxItems) throws(BanksError) -> Banks {
        let path = "\(folder)/\(BanksFile.name)"
        guard let json = Files.contents(of: path, limit: BanksFile.maxBytes) else {
            throw BanksError("\(path) cannot be read (\(Files.reason)); name a folder that holds a \(BanksFile.name)")
        }
        let file = try BanksFile(json: json, path: path)
        var loader = Loader(folder: folder, maxItems: maxItems)
        for (number, entry) in file.entries.enumerated() {
            loader.load(entry, named: "'banks[\(number)].files' of \(path)")
        }
        return try loader.banks()
    }
}

/// Reads the signal files of the banks.
private struct Loader {
    let folder: String
    let maxItems: Int
    private var builder: Banks.Builder
    private var problems = BanksError()
    /// The number of bytes that may still be read.
    private var bytesLeft = Banks.maxBytes
    /// Whether there are too many signals or problems to continue.
    private var isStopped = false

    init(folder: String, maxItems: Int) {
        self.folder = folder
        self.maxItems = maxItems
        builder = Banks.Builder(maxItems: maxItems)
    }

    /// Reads the files of a bank.
    ///
    /// - Parameters:
    ///   - entry: The bank.
    ///   - field: The name of the field that names the files, for errors.
    mutating func load(_ entry: BanksFile.Entry, named field: String) {
        builder.begin(entry.bank)
        for file in entry.files {
            let path = file.hasPrefix("/") ? file : "\(folder)/\(file)"
            guard let names = Files.names(in: path, limit: Banks.maxFilesInFolder) else {
                if errno == ENOTDIR {
                    read(path)
                } else {
                    problems.add("\(path) cannot be read (\(Files.reason)); correct \(field)")
                }
                continue
            }
            let files = names.filter { $0.hasSuffix(Banks.fileSuffix) && !$0.hasPrefix(".") }
            if files.isEmpty {
                problems.add(
                    "the folder \(path) has no file *\(Banks.fileSuffix); put one there, or correct \(field)")
            }
            for name in files { read("\(path)/\(name)") }
        }
    }

    /// Returns the banks.
    ///
    /// - Throws: ``BanksError`` with all problems.
    consuming func banks() throws(BanksError) -> Banks {
        guard problems.problems.isEmpty else { throw problems }
        return builder.indexed()
    }

    private mutating func read(_ path: String) {
        guard !isStopped else { return }
        builder.beginFile(path)
        var reader = SignalReader()
        let isRead = Files.forEachPiece(of: path, limit: bytesLeft) { bytes in
            bytesLeft -= bytes.count
            reader.feed(bytes) { take($1, number: $0, of: path) }
            return !isStopped
        }
        if !isRead {
            problems.add(
                errno == EFBIG
                    ? "\(path) has more bytes than are left of the \(Banks.maxBytes) for all files; shorten the banks"
                    : "\(path) cannot be read (\(Files.reason)); make it a readable file")
        }
        reader.finish { take($1, number: $0, of: path) }
        builder.endFile(lines: reader.lines)
    }

    private mutating func take(_ line: SignalLine, number: Int, of path: String) {
        guard !isStopped else { return }
        switch line {
        case .blank: break
        case .signal(let signal):
            if builder.add(signal, line: number) { break }
            problems.add(
                "line \(number) of \(path) is beyond the \(maxItems) signals that all banks may have; shorten them")
            isStopped = true
        case .wrong(let what):
            problems.add(
                "line \(number) of \(path) \(what); write 'pdq' or 'sha256' and 64 hexadecimal digits, or remove the line"
            )
            isStopped = problems.isFull
        }
    }
}
