import FoundationEssentials
import ProcessSupport

/// The file of `--config`: a JSON object whose keys are names of settings, and whose values are strings, numbers,
/// booleans or lists of those.
///
/// Several programs may share a file, so it may contain the settings of all of them.
enum SettingsFile {
    private enum Entry: Decodable {
        case text(String), list([Entry]), neither

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let value = try? container.decode(Bool.self) {
                self = .text("\(value)")
            } else if let value = try? container.decode(String.self) {
                self = .text(value)
            } else if let value = try? container.decode(Int.self) {
                self = .text("\(value)")
            } else if let value = try? container.decode(Double.self) {
                self = .text("\(value)")
            } else if let value = try? container.decode([Entry].self) {
                self = .list(value)
            } else {
                self = .neither
            }
        }

        var texts: [String]? {
            switch self {
            case .text(let text): return [text]
            case .list(let entries):
                let texts = entries.compactMap { if case .text(let text) = $0 { text } else { nil } }
                return texts.count == entries.count ? texts : nil
            case .neither: return nil
            }
        }
    }

    /// Returns the values as texts, by the settings' names.
    ///
    /// - Throws: An error if the file cannot be read or is not JSON, or if it has a key that is no setting's name or a
    ///   value of another type.
    static func read(_ path: String) throws(SettingsError) -> [String: [String]] {
        let config = SharedSettings.config.description.name
        guard let data = FileManager.default.contents(atPath: path) else {
            throw SettingsError(
                setting: config, "cannot read the settings file \(path); check that it exists and may be read")
        }
        guard let entries = try? JSONDecoder().decode([String: Entry].self, from: data) else {
            throw SettingsError(
                setting: config,
                "the settings file \(path) is not JSON; write an object such as {\"client-endpoint\": \"tcp://127.0.0.1:5555\"}"
            )
        }
        let programs: [any SettingsSchema.Type] = [
            RouterSchema.self, WorkerSchema.self, GatewaySchema.self, ClientSchema.self, ClusterSchema.self,
        ]
        let known = programs.flatMap { $0.all.map { $0.description.name } }.filter { $0 != config }
        var values: [String: [String]] = [:]
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            guard known.contains(name) else {
                let suggestion = Suggestion.closest(to: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
                throw SettingsError(setting: name, "there is no setting '\(name)', which \(path) sets\(suggestion)")
            }
            guard let texts = entry.texts else {
                throw SettingsError(
                    setting: name, "'\(name)' in \(path) must be a text, a number, true, false or a list of those")
            }
            values[name] = texts
        }
        return values
    }
}
