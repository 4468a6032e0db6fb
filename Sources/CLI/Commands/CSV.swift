import BifronsWire

/// Results as CSV (RFC 4180), one line for each image.
enum CSV {
    /// The names of the columns. New ones come at the end.
    static let header = line(columns.map(\.name))

    private struct Column: Sendable {
        let name: String
        let value: @Sendable (ResultDocument) -> String?
    }

    private static let columns: [Column] = [
        Column(name: "status") { "\($0.status.rawValue)" },
        Column(name: "label") { $0.verdict?.label.rawValue },
        Column(name: "ai_probability") { $0.verdict?.aiProbability.map { fixed($0, 6) } },
        Column(name: "action") { $0.verdict?.action.rawValue },
        Column(name: "policy") { $0.verdict?.policy },
        Column(name: "reasons") { $0.verdict?.reasons.joined(separator: " ") },
        Column(name: "faces") { $0.faces.map { "\($0.count)" } },
        Column(name: "faces_found") { $0.facesFound.map { "\($0)" } },
        Column(name: "models") { result in
            let scores = result.models.compactMap { model in
                model.aiProbability.map { "\(model.name)=\(fixed($0, 6))" }
            }
            return scores.joined(separator: " ")
        },
        Column(name: "total_ms") { $0.totalMilliseconds.map { fixed($0, 3) } },
        Column(name: "decision") { $0.decision },
        Column(name: "error_code") { $0.error?.code },
        Column(name: "error_message") { $0.error?.message },
    ]

    /// Returns the line of an image.
    static func line(_ name: String, _ result: ResultDocument) -> String {
        line([name] + columns.map { $0.value(result) ?? "" }, isHeader: false)
    }

    private static func line(_ names: [String]) -> String { line(["file"] + names, isHeader: true) }

    /// A field that a spreadsheet would take for a formula gets an apostrophe.
    private static func line(_ fields: [String], isHeader: Bool) -> String {
        fields.map { field in
            let isFormula = !isHeader && field.first.map { "=+-@\t\r".contains($0) } == true
            let field = isFormula ? "'" + field : field
            let isPlain = !field.contains { "\",\r\n".contains($0) || $0 == "\r\n" }
            return isPlain && !isFormula ? field : "\"" + field.replacing("\"", with: "\"\"") + "\""
        }.joined(separator: ",")
    }
}
