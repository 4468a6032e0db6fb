import FoundationEssentials
import Settings
import Wire

/// Results as lines for people.
struct VerdictTable {
    private static let widestName = 60

    private let models: [String]
    private let table: TextTable

    /// - Parameter names: of the files that will come, for the width of the first column.
    init(names: [String], models: [String]) {
        self.models = models
        let width = names.map { min($0.count, Self.widestName) }.max() ?? 0
        table = TextTable(
            [
                .init(title: "FILE", width: width), .init(title: "VERDICT", width: "AI-generated".count),
                .init(title: "AI", isNumber: true, width: "100.0 %".count),
                .init(title: "ACTION", width: "review".count), .init(title: "FACES", isNumber: true),
            ] + models.map { .init(title: $0, isNumber: true, width: "100.0 %".count) }
                + [.init(title: "MS", isNumber: true, width: "1000.0".count)])
    }

    var header: String { table.header }

    /// A verdict in columns, or an error in words.
    func line(_ name: String, _ result: ResultDocument) -> String {
        let name = name.printable
        guard result.status.isSuccess, let verdict = result.verdict else {
            let reason = result.error.map { " \($0.code): \($0.message.printable)" } ?? ""
            return name.padded(to: table.columns[0].width) + "  error \(result.status.rawValue)\(reason)"
        }
        let probabilities = models.map { model in
            result.models.first { $0.name == model }?.aiProbability.map(percent) ?? "-"
        }
        return table.line(
            [
                name, verdict.label == .real ? "real" : "AI-generated", percent(verdict.aiProbability),
                verdict.action.rawValue, result.faces.map { $0.isEmpty ? "none" : "\($0.count)" } ?? "-",
            ] + probabilities + [result.totalMilliseconds.map { fixed($0, 1) } ?? "-"])
    }

    /// The result as it came, with the file's name in front; for programs. A name that is not UTF-8 has its bytes beside it.
    static func json(_ name: FileName, _ result: [UInt8]) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        // Encoding a text cannot fail.
        var file = (try? encoder.encode(name.text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
        if name.validText == nil { file += ",\"file_base64\":\"\(Data(name.bytes).base64EncodedString())\"" }
        let members = String(decoding: result, as: UTF8.self).drop { $0 != "{" }.dropFirst()
        let isEmpty = members.first { !$0.isWhitespace } == "}"
        return "{\"file\":\(file)" + (isEmpty ? "" : ",") + members
    }
}
