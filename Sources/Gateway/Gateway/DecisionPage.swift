internal import BifronsWire
internal import FoundationEssentials

/// A page of the decision ledger in other formats than the router's.
struct DecisionPage {
    /// The rows of a CSV file. The columns never change their order; new ones come last.
    static let columns = [
        "id", "sequence", "time", "tenant", "subject_type", "subject_id", "request", "sha256", "format", "width",
        "height", "faces", "faces_found", "label", "ai_probability", "action", "reasons", "policy", "policy_version",
        "degraded", "erased",
    ]

    /// Where the next page begins; nil at the end of the ledger.
    let next: Int64?
    let decisions: [DecisionRecord]
    private let texts: [[UInt8]]

    /// - Throws: `DecodingError` if the bytes are not the router's answer.
    init(_ bytes: [UInt8]) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let page = try decoder.decode(Page.self, from: Data(bytes))
        (next, decisions) = (page.next, page.decisions)
        texts = try Self.elements(of: bytes)
    }

    /// The decisions as JSON, one in a line, each as the router wrote it.
    var lines: [UInt8] { texts.flatMap { $0 + [UInt8(ascii: "\n")] } }

    /// The decisions as CSV (RFC 4180), with a byte order mark, so that spreadsheets read it as UTF-8.
    func csv() throws -> [UInt8] {
        let rows = [Self.columns] + decisions.map(\.row)
        let text = rows.map { $0.map(Self.quoted).joined(separator: ",") + "\r\n" }.joined()
        return [0xEF, 0xBB, 0xBF] + Array(text.utf8)
    }

    /// Quotes a field that would not be read back otherwise. A leading sign or tab would make some spreadsheets run it.
    private static func quoted(_ field: String) -> String {
        let isFormula = field.first.map { "=+-@\t\r".contains($0) } ?? false
        let field = isFormula && Double(field) == nil ? "'" + field : field
        guard field.contains(where: { "\",\r\n".contains($0) }) else { return field }
        return "\"" + field.replacing("\"", with: "\"\"") + "\""
    }

    private struct Page: Decodable {
        var decisions: [DecisionRecord]
        var next: Int64?
    }

    /// Returns the text of each element of the member `decisions`, which is the last or last but one of the object.
    private static func elements(of bytes: [UInt8]) throws -> [[UInt8]] {
        let key = Array(#""decisions":["#.utf8)
        guard let start = bytes.firstRange(of: key)?.upperBound else { return [] }
        var (texts, depth, isString, isEscaped, begin): ([[UInt8]], Int, Bool, Bool, Int) = ([], 0, false, false, start)
        for index in bytes[start...].indices {
            let byte = bytes[index]
            if isEscaped {
                isEscaped = false
            } else if isString {
                if byte == UInt8(ascii: "\\") { isEscaped = true }
                if byte == UInt8(ascii: "\"") { isString = false }
            } else if byte == UInt8(ascii: "\"") {
                isString = true
            } else if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") {
                if depth == 0 { begin = index }
                depth += 1
            } else if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") {
                if depth == 0 { return texts }
                depth -= 1
                if depth == 0 { texts.append(Array(bytes[begin...index])) }
            }
        }
        return texts
    }
}

extension DecisionRecord {
    /// The values of the CSV columns.
    fileprivate var row: [String] {
        let fields: [String?] = [
            id, "\(sequence)", time, tenant, personal?.subject?.type, personal?.subject?.id, personal?.request,
            personal?.sha256, body.format, body.width.map(String.init), body.height.map(String.init),
            "\(body.regions.count(where: \.face))", body.facesFound.map(String.init), body.label,
            body.exactProbability.map { "\($0)" }, body.action, body.reasons.joined(separator: " "), body.policy,
            "\(body.policyVersion)", body.degraded ? "true" : "false", personal == nil ? "true" : "false",
        ]
        return fields.map { $0 ?? "" }
    }
}
