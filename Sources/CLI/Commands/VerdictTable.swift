import BifronsWire
import FoundationEssentials
import ProcessSupport

/// Formats results as lines for people.
struct VerdictTable {
    private static let widestName = 60

    private let models: [String]
    private let isColoured: Bool
    private let table: TextTable

    /// Creates a table.
    ///
    /// - Parameters:
    ///   - names: The names of all files, for the width of the first column.
    ///   - models: The models whose probabilities are shown.
    ///   - isColoured: Whether actions and errors have colours.
    init(names: [String], models: [String], isColoured: Bool = false) {
        self.models = models
        self.isColoured = isColoured
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

    /// Returns a line with the verdict in columns, or with the error in words.
    func line(_ name: String, _ result: ResultDocument) -> String {
        let name = name.printable
        guard result.status.isSuccess, let verdict = result.verdict else {
            let reason = result.error.map { " \($0.code): \($0.message.printable)" } ?? ""
            let error = "error \(result.status.rawValue)"
            return name.padded(to: table.columns[0].width) + "  " + (isColoured ? Colour.red(error) : error) + reason
        }
        // The networks' scores for an image without a face are no answer.
        let scores = verdict.label == .noFace ? [] : result.models
        let probabilities = models.map { model in
            scores.first { $0.name == model }?.aiProbability.map(percent) ?? "-"
        }
        return table.line(
            [
                name, Self.word(verdict.label), verdict.aiProbability.map(percent) ?? "-", verdict.action.rawValue,
                Self.faces(result),
            ] + probabilities + [result.totalMilliseconds.map { fixed($0, 1) } ?? "-"],
            colours: isColoured ? [3: verdict.action.colour] : [:])
    }

    /// Returns the line of an image, and below it one that says if it is an animation, and one for each piece of
    /// evidence about it.
    func lines(_ name: String, _ result: ResultDocument) -> [String] {
        let isAnimated = result.image?.isAnimated == true
        let animation = isAnimated ? ["an animation, of which only the first frame was looked at"] : []
        let reasons = result.verdict?.reasons ?? []
        let decided = reasons.isEmpty ? [] : ["decided by: \(reasons.joined(separator: ", ").printable)"]
        return [line(name, result)] + (animation + EvidenceText.lines(result.evidence) + decided).map { "    " + $0 }
    }

    private static func word(_ label: ResultDocument.Label) -> String {
        switch label {
        case .real: "real"
        case .aiGenerated: "AI-generated"
        case .noFace: "no face"
        }
    }

    /// Returns the number of scored faces, with the number of found ones if that is larger; a dash if faces were not
    /// searched for.
    private static func faces(_ result: ResultDocument) -> String {
        guard let faces = result.faces else { return "-" }
        if let found = result.facesFound, found > faces.count { return "\(faces.count) of \(found)" }
        return faces.isEmpty ? "none" : "\(faces.count)"
    }

    /// Returns the service's result document with the file's name as its first member, for programs. A name that is not
    /// UTF-8 is also given in base64.
    static func json(_ name: FileName, _ result: [UInt8]) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        // Encoding a string cannot fail.
        var file = (try? encoder.encode(name.text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
        if name.validText == nil { file += ",\"file_base64\":\"\(Data(name.bytes).base64EncodedString())\"" }
        let members = String(decoding: result, as: UTF8.self).drop { $0 != "{" }.dropFirst()
        let isEmpty = members.first { !$0.isWhitespace } == "}"
        return "{\"file\":\(file)" + (isEmpty ? "" : ",") + members
    }
}
