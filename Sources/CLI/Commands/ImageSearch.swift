import Glibc
import ImageDecoding
import ProcessSupport

/// The images that a command's arguments name: files as given, folders with the images in them, and `-` for standard
/// input.
///
/// In folders, every file that is an image by its name or its first bytes is found, including unsupported formats, for
/// which the service reports why they cannot be classified. Files that cannot be read are found too. All other entries
/// are counted.
struct ImageSearch {
    private(set) var sources: [ImageSource] = []
    private(set) var passedOver = PassedOver()

    private struct Entry {
        let path: FileName
        /// The path below the folder that was given.
        let relativePath: FileName
    }

    init(_ arguments: [FileName]) {
        for argument in arguments {
            if argument == FileName("-") {
                sources.append(
                    ImageSource(name: argument, place: .standardInput, relativeName: FileName("standard-input")))
            } else if FileKind(at: argument) == .folder {
                search(argument)
            } else {
                let name = argument.bytes.split(separator: UInt8(ascii: "/")).last.map { FileName(bytes: Array($0)) }
                sources.append(ImageSource(name: argument, place: .named(argument), relativeName: name ?? argument))
            }
        }
    }

    /// Searches a folder and its subfolders, in the order of the names' bytes.
    private mutating func search(_ folder: FileName) {
        // The entries still to be checked, the next one last. Not recursive, because folders may be deeply nested.
        var waiting = entries(of: folder, relativePath: FileName(""))
        while let entry = waiting.popLast() {
            if look(at: entry) { waiting += entries(of: entry.path, relativePath: entry.relativePath) }
        }
    }

    /// Adds the entry if it is an image, counts it otherwise, and returns whether it is a folder to search.
    private mutating func look(at entry: Entry) -> Bool {
        let name = entry.path.bytes.split(separator: UInt8(ascii: "/")).last ?? []
        let isLink = FileKind.isLink(entry.path)
        guard name.first != UInt8(ascii: ".") else {
            passedOver.count(.hidden)
            return false
        }
        switch FileKind(at: entry.path) {
        case .folder where !isLink: return true
        case .folder: passedOver.count(.linkedFolder)
        case .pipe: passedOver.count(.pipe)
        case .socket: passedOver.count(.socket)
        case .device: passedOver.count(.device)
        case .file where !Self.isImage(entry.path, name): passedOver.count(.file(suffix: Self.suffix(of: name)))
        case nil where [ENOENT, ELOOP, ENOTDIR].contains(errno) && isLink && !Self.isNamedAsImage(name):
            passedOver.count(.brokenLink)
        case .file, nil:
            sources.append(
                ImageSource(name: entry.path, place: .file(entry.path), relativeName: entry.relativePath))
        }
        return false
    }

    /// Returns the entries of a folder, the first one last. A folder that cannot be read becomes a source with an
    /// error.
    private mutating func entries(of folder: FileName, relativePath: FileName) -> [Entry] {
        var names: [[UInt8]] = []
        errno = 0
        if let stream = folder.withCString({ opendir($0) }) {
            defer { closedir(stream) }
            while let entry = readdir(stream) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
                if name != Array(".".utf8), name != Array("..".utf8) { names.append(name) }
                errno = 0
            }
        }
        if errno != 0 {
            let place = ImageSource.Place.unreadable(.unreadable("folder"))
            sources.append(ImageSource(name: folder, place: place, relativeName: relativePath))
        }
        let slash = UInt8(ascii: "/")
        let path = folder.bytes.last == slash ? folder.bytes : folder.bytes + [slash]
        let parent = relativePath.bytes.isEmpty ? [] : relativePath.bytes + [slash]
        return names.sorted { $1.lexicographicallyPrecedes($0) }.map {
            Entry(path: FileName(bytes: path + $0), relativePath: FileName(bytes: parent + $0))
        }
    }

    /// Returns whether a file is an image: by its name, so that a broken one is reported, or by its first bytes. A file
    /// that cannot be opened counts as an image.
    private static func isImage(_ path: FileName, _ name: ArraySlice<UInt8>) -> Bool {
        if isNamedAsImage(name) { return true }
        let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var start: [UInt8] = Array(repeating: 0, count: ImageKind.startBytes)
        let count = Glibc.read(descriptor, &start, start.count)
        return count < 0 || ImageKind.isImage(Array(start[..<count]))
    }

    private static func isNamedAsImage(_ name: ArraySlice<UInt8>) -> Bool {
        ImageKind.suffixes.contains(suffix(of: name))
    }

    /// Returns what follows the name's last dot, in lower case; empty if nothing there looks like a file type.
    private static func suffix(of name: ArraySlice<UInt8>) -> String {
        guard let point = name.lastIndex(of: UInt8(ascii: ".")), point > name.startIndex else { return "" }
        let suffix = name[(point + 1)...]
        guard suffix.count <= 8, suffix.allSatisfy({ (0x21...0x7E).contains($0) }) else { return "" }
        return String(decoding: suffix, as: UTF8.self).lowercased()
    }
}

/// The number of folder entries that are not images, by kind.
struct PassedOver: Equatable {
    enum Kind: Hashable {
        /// An ordinary file. The suffix is empty if it has none.
        case file(suffix: String)
        case hidden, linkedFolder, brokenLink, pipe, socket, device
    }

    /// The most kinds that are named; the most frequent come first.
    private static let namedKinds = 12

    private(set) var counts: [Kind: Int] = [:]

    mutating func count(_ kind: Kind) { counts[kind, default: 0] += 1 }

    /// One sentence that names the kinds; nil if every entry was an image.
    var summary: String? {
        guard !counts.isEmpty else { return nil }
        let parts = counts.map { (count: $0.value, text: Self.text($0.key, $0.value)) }
            .sorted { ($1.count, $0.text) < ($0.count, $1.text) }
        let rest = parts.dropFirst(Self.namedKinds).reduce(0) { $0 + $1.count }
        let named = parts.prefix(Self.namedKinds).map(\.text) + (rest > 0 ? ["\(rest) of other kinds"] : [])
        let total = parts.reduce(0) { $0 + $1.count }
        return "passed over \(total) that \(total == 1 ? "is no image" : "are no images"): "
            + named.joined(separator: ", ")
    }

    private static func text(_ kind: Kind, _ count: Int) -> String {
        let isOne = count == 1
        let noun =
            switch kind {
            case .file(suffix: ""): "without a suffix"
            case .file(let suffix): ".\(suffix)"
            case .hidden: "hidden"
            case .linkedFolder: isOne ? "link to a folder" : "links to folders"
            case .brokenLink: isOne ? "broken link" : "broken links"
            case .pipe: isOne ? "named pipe" : "named pipes"
            case .socket: isOne ? "socket" : "sockets"
            case .device: isOne ? "device" : "devices"
            }
        return "\(count) \(noun)"
    }
}
