internal import BifronsWire
internal import Files
internal import Glibc
internal import HTTPTypes
internal import Hashing
internal import Hexadecimal
internal import Hummingbird
internal import Synchronization

/// Who may use the HTTP API: names, and the SHA-256 of each one's bearer token. The tokens themselves are not kept.
///
/// A text of lines `NAME HASH`: whose the token is, and so the jobs that come with it, and the hash in 64 hexadecimal digits.
/// Empty lines, and those that begin with `#`, are passed over. Tokens are meant to be long and random (`openssl rand -hex 32`): no slow hash would make a guessable one safe.
struct TokenList: Equatable, Sendable {
    /// A list that cannot be used: which, where and why.
    struct ParseError: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    /// Bytes of the longest list.
    static let maxBytes = 1 << 20

    private struct Entry: Equatable {
        let name: String
        let hash: [UInt8]
    }

    private let entries: [Entry]

    /// Reads a list. Any bytes give a list or an error that names the line.
    /// - Parameter source: what the error calls the text, a path for instance.
    init(parsing bytes: [UInt8], source: String) throws(ParseError) {
        var entries: [Entry] = []
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            func wrong(_ what: String) -> ParseError {
                ParseError(description: "line \(index + 1) of \(source) \(what); write NAME SHA256-OF-THE-TOKEN")
            }
            guard let text = String(validating: line, as: UTF8.self) else { throw wrong("is not UTF-8") }
            let words = text.split { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\r\n" }
            guard let name = words.first, !name.hasPrefix("#") else { continue }
            guard words.count == 2 else { throw wrong("has \(words.count) words") }
            guard let hash = [UInt8](hexadecimal: words[1]), hash.count == SHA256.byteCount else {
                throw wrong("has no hash of 64 hexadecimal digits")
            }
            guard name.utf8.count <= Limits.identifierBytes else {
                throw wrong("has a name of more than \(Limits.identifierBytes) bytes")
            }
            guard !entries.contains(where: { $0.name == name }) else { throw wrong("has the name of another line") }
            entries.append(Entry(name: String(name), hash: hash))
        }
        self.entries = entries
    }

    /// Reads the list of a file.
    init(path: String) throws(ParseError) {
        guard let bytes = Files.contents(of: path, limit: Self.maxBytes) else {
            throw ParseError(
                description: errno == EFBIG
                    ? "\(path) has more than \(Self.maxBytes) bytes; shorten the list"
                    : "cannot read \(path): \(Files.reason)")
        }
        try self.init(parsing: bytes, source: path)
    }

    /// Whose token the value of an `Authorization` field bears; nil if it bears none of the list's.
    ///
    /// Looks at every entry and every byte: how long it takes tells nothing of how near a guess was.
    func owner(of authorization: String?) -> String? {
        guard let words = authorization?.split(separator: " ", maxSplits: 1), words.count == 2,
            words[0].lowercased() == "bearer"
        else { return nil }
        let hash = Array(words[1].utf8).withUnsafeBytes { SHA256.digest(of: $0) }
        var owner: String?
        for entry in entries {
            let difference = zip(entry.hash, hash).reduce(0) { $0 | ($1.0 ^ $1.1) }
            if difference == 0 { owner = entry.name }
        }
        return owner
    }
}

/// The list of tokens, as the file has it now or had it when it was last read.
final class TokenFile: Sendable {
    private let path: String
    private let list: Mutex<TokenList>

    init(path: String) throws(TokenList.ParseError) {
        self.path = path
        list = Mutex(try TokenList(path: path))
    }

    func owner(of authorization: String?) -> String? {
        list.withLock { $0 }.owner(of: authorization)
    }

    /// Reads the file again; the old list stays if it cannot be used.
    func reload() throws(TokenList.ParseError) {
        let new = try TokenList(path: path)
        list.withLock { $0 = new }
    }
}

/// Lets in who bears a token of the list: jobs are theirs alone.
struct TokenMiddleware: RouterMiddleware {
    let tokens: TokenFile

    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        guard let owner = tokens.owner(of: request.headers[.authorization]) else {
            var problem = Problem(
                .unauthorized, code: "token_missing",
                "this needs a token of the gateway's list; send it as 'Authorization: Bearer TOKEN'")
            problem.headers[.wwwAuthenticate] = "Bearer"
            throw problem
        }
        context.caller = owner
        return try await next(request, context)
    }
}
