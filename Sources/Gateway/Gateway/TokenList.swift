internal import BifronsWire
internal import Files
internal import Glibc
internal import HTTPTypes
internal import Hashing
internal import Hexadecimal
internal import Hummingbird
internal import Synchronization

/// The names of those who may use the HTTP API, each with the SHA-256 of its bearer token. The tokens themselves are
/// not stored.
///
/// The file has lines of the form `NAME HASH`: the owner of the token, who also owns the jobs submitted with it, and
/// the hash in 64 hexadecimal digits. A third word, `operator`, allows its bearer to change policies and to see the
/// decisions of all. Empty lines and lines that begin with `#` are ignored. Tokens must be long and
/// random (`openssl rand -hex 32`); a slow hash could not make guessable ones safe.
struct TokenList: Equatable, Sendable {
    /// An error that says which list cannot be used, at which line, and why.
    struct ParseError: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    /// The most bytes that a list may have.
    static let maxBytes = 1 << 20

    private struct Entry: Equatable {
        let name: String
        let hash: [UInt8]
        let isOperator: Bool
    }

    /// The bearer of a token.
    struct Bearer: Equatable {
        let name: String
        /// Whether the bearer may ask about all tenants and change policies.
        let isOperator: Bool
    }

    /// The third word of an operator's line.
    private static let operatorWord = "operator"

    private let entries: [Entry]

    /// Parses a list. The parser is total: any bytes give a list, or an error that names the line.
    /// - Parameter source: the name of the text in errors, for instance its path.
    init(parsing bytes: [UInt8], source: String) throws(ParseError) {
        var entries: [Entry] = []
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            func wrong(_ what: String) -> ParseError {
                ParseError(
                    description: "line \(index + 1) of \(source) \(what); write NAME SHA256-OF-THE-TOKEN [operator]")
            }
            guard let text = String(validating: line, as: UTF8.self) else { throw wrong("is not UTF-8") }
            let words = text.split { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\r\n" }
            guard let name = words.first, !name.hasPrefix("#") else { continue }
            guard words.count == 2 || words.count == 3 else { throw wrong("has \(words.count) words") }
            guard words.count == 2 || words[2] == Self.operatorWord else {
                throw wrong("has '\(words[2].prefix(32))' behind the hash, where only '\(Self.operatorWord)' may stand")
            }
            guard let hash = [UInt8](hexadecimal: words[1]), hash.count == SHA256.byteCount else {
                throw wrong("has no hash of 64 hexadecimal digits")
            }
            guard name.utf8.count <= Limits.identifierBytes else {
                throw wrong("has a name of more than \(Limits.identifierBytes) bytes")
            }
            guard !entries.contains(where: { $0.name == name }) else { throw wrong("has the name of another line") }
            entries.append(Entry(name: String(name), hash: hash, isOperator: words.count == 3))
        }
        self.entries = entries
    }

    /// Reads a list from a file.
    init(path: String) throws(ParseError) {
        guard let bytes = Files.contents(of: path, limit: Self.maxBytes) else {
            throw ParseError(
                description: errno == EFBIG
                    ? "\(path) has more than \(Self.maxBytes) bytes; shorten the list"
                    : "cannot read \(path): \(Files.reason)")
        }
        try self.init(parsing: bytes, source: path)
    }

    /// Returns the number of entries that the other list does not have.
    func count(notIn other: TokenList) -> Int {
        entries.count { !other.entries.contains($0) }
    }

    /// Returns the bearer of the token in the value of an `Authorization` field; nil if the list does not have it.
    ///
    /// Always compares every byte of every entry, so that the time taken does not reveal how close a guess was.
    func bearer(of authorization: String?) -> Bearer? {
        guard let words = authorization?.split(separator: " ", maxSplits: 1), words.count == 2,
            words[0].lowercased() == "bearer"
        else { return nil }
        let hash = Array(words[1].utf8).withUnsafeBytes { SHA256.digest(of: $0) }
        var bearer: Bearer?
        for entry in entries {
            let difference = zip(entry.hash, hash).reduce(0) { $0 | ($1.0 ^ $1.1) }
            if difference == 0 { bearer = Bearer(name: entry.name, isOperator: entry.isOperator) }
        }
        return bearer
    }
}

/// The token list of a file, as of the last successful read.
final class TokenFile: Sendable {
    private let path: String
    private let list: Mutex<TokenList>

    init(path: String) throws(TokenList.ParseError) {
        self.path = path
        list = Mutex(try TokenList(path: path))
    }

    func bearer(of authorization: String?) -> TokenList.Bearer? {
        list.withLock { $0 }.bearer(of: authorization)
    }

    /// Reads the file again. Keeps the old list if the new one cannot be used.
    /// - Returns: the number of tokens that the old list had and the new one has not.
    func reload() throws(TokenList.ParseError) -> Int {
        let new = try TokenList(path: path)
        return list.withLock { list in
            defer { list = new }
            return list.count(notIn: new)
        }
    }
}

/// Admits only requests that bear a token of the list, and records its owner in the context.
struct TokenMiddleware: RouterMiddleware {
    let tokens: TokenFile

    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        guard let bearer = tokens.bearer(of: request.headers[.authorization]) else {
            var problem = Problem(
                .unauthorized, code: "token_missing",
                "this needs a token of the gateway's list; send it as 'Authorization: Bearer TOKEN'")
            problem.headers[.wwwAuthenticate] = "Bearer"
            throw problem
        }
        context.caller = bearer.name
        context.isOperator = bearer.isOperator
        return try await next(request, context)
    }
}
