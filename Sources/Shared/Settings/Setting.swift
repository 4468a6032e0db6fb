import ArgumentParser
import Logging

/// The description of a setting for people: in `--help`, in errors and in the README's table.
struct SettingDescription: Sendable {
    /// The number of values that a setting takes.
    enum Form {
        /// One value.
        case value
        /// Several values: the option is given several times, or one text contains them, separated by commas.
        case list
        /// No value: the option is `--name` or `--no-name`.
        case flag
    }

    /// The name after `--` on the command line, and the key in the file. See ``environmentName`` for the environment.
    let name: String
    /// The default as a user would write it; nil if there is none, or if it depends on the machine.
    let defaultText: String?
    /// The allowed values with their range and unit, as the end of a sentence that begins "it must be".
    let allowed: String
    /// What the setting means, in a few words.
    let meaning: String
    /// How shells complete the value.
    let completion: CompletionKind
    /// The number of values.
    var form: Form
    /// Whether each process needs its own value, so that `bifrons up` chooses it and does not pass the user's to all.
    var isIndividual = false

    /// The name in the environment: `BIFRONS_CLIENT_ENDPOINT` for `client-endpoint`.
    var environmentName: String {
        "BIFRONS_" + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    /// The text in `--help`: the meaning, and the default if there is one.
    var help: ArgumentHelp {
        ArgumentHelp(stringLiteral: meaning + (defaultText.map { " (default: \($0))" } ?? ""))
    }
}

/// A setting with values of any type.
protocol DeclaredSetting: Sendable {
    associatedtype Value: Sendable

    /// The setting's description for people.
    var description: SettingDescription { get }

    /// Returns the value that a user has set, or the default.
    /// - Throws: An error if the user's value is not allowed, or if there is neither.
    func value(in layers: SettingsLayers) throws(SettingsError) -> Value
}

/// The declaration of a setting: its description for people, how its texts become a value, and its default.
package struct Setting<Value: Sendable>: DeclaredSetting {
    /// The setting's description for people.
    var description: SettingDescription
    /// Returns the value for a user's texts, or nil if they are not allowed. Only a list may have more than one text.
    let parse: @Sendable (_ texts: [String]) -> Value?
    /// Returns the default in a process with this environment, or nil if the user must set a value.
    var fallback: @Sendable (_ environment: [String: String]) -> Value?

    /// The same setting, but its value is nil if nobody sets it.
    var optional: Setting<Value?> {
        Setting<Value?>(
            description: description, parse: { [parse] in parse($0).map(Optional.some) }, fallback: { _ in .some(nil) })
    }

    /// The same setting, but with a list of values.
    var list: Setting<[Value]> {
        var description = description
        description.form = .list
        return Setting<[Value]>(
            description: description,
            parse: { [parse] texts in
                let parts = texts.flatMap { $0.split(separator: ",").map(String.init) }
                let values = parts.compactMap { parse([$0]) }
                return values.isEmpty || values.count < parts.count ? nil : values
            }, fallback: { [fallback] in fallback($0).map { [$0] } })
    }

    /// Returns the same setting with a default that depends on the machine or the environment.
    func otherwise(_ fallback: @escaping @Sendable (_ environment: [String: String]) -> Value) -> Setting {
        var setting = self
        setting.fallback = fallback
        return setting
    }

    /// The same setting, but each process needs its own value (see ``SettingDescription/isIndividual``).
    var individual: Setting {
        var setting = self
        setting.description.isIndividual = true
        return setting
    }

    func value(in layers: SettingsLayers) throws(SettingsError) -> Value {
        let name = description.name
        if let (texts, place, _) = layers.find(description) {
            if let value = parse(texts) { return value }
            throw SettingsError(
                setting: name, "\(place) is '\(texts.joined(separator: ","))'; it must be \(description.allowed)")
        }
        if let value = fallback(layers.environment) { return value }
        throw SettingsError(
            setting: name,
            "no \(name) is set (\(description.meaning)); give --\(name), \(description.environmentName) "
                + "or '\(name)' in the file of --config")
    }
}

extension Setting {
    /// Declares a setting of one text, with or without a default.
    init(
        _ name: String, default defaultText: String?, _ meaning: String, allowed: String,
        completion: CompletionKind = .default, form: SettingDescription.Form = .value,
        parse: @escaping @Sendable (String) -> Value?
    ) {
        self.init(
            description: SettingDescription(
                name: name, defaultText: defaultText, allowed: allowed, meaning: meaning, completion: completion,
                form: form),
            parse: { $0.count == 1 ? parse($0[0]) : nil }, fallback: { _ in defaultText.flatMap(parse) })
    }
}

extension Setting<String> {
    /// Returns a setting whose value is any text that is not empty.
    static func text(_ name: String, default text: String? = nil, _ meaning: String) -> Setting {
        Setting(name, default: text, meaning, allowed: "a text") { $0.isEmpty ? nil : $0 }
    }

    /// Returns a setting whose value is a file's path, which need not exist.
    static func file(_ name: String, default text: String? = nil, _ meaning: String) -> Setting {
        Setting(name, default: text, meaning, allowed: "a text", completion: .file()) { $0.isEmpty ? nil : $0 }
    }

    /// Returns a setting whose value is a folder's path, which need not exist.
    static func folder(_ name: String, default text: String? = nil, _ meaning: String) -> Setting {
        Setting(name, default: text, meaning, allowed: "a text", completion: .directory) { $0.isEmpty ? nil : $0 }
    }

    /// Returns a setting whose value is a name of 1 to 64 bytes, which is what the protocols allow.
    static func name(_ name: String, default text: String? = nil, _ meaning: String) -> Setting {
        Setting(name, default: text, meaning, allowed: "a name of 1 to 64 bytes") {
            (1...64).contains($0.utf8.count) ? $0 : nil
        }
    }

    /// Returns a setting whose value is one of the given words.
    static func choice(_ name: String, default text: String? = nil, of choices: [String], _ meaning: String) -> Setting
    {
        Setting(name, default: text, meaning, allowed: choices.joined(separator: " or "), completion: .list(choices)) {
            choices.contains($0) ? $0 : nil
        }
    }

    /// Returns a setting whose value is an endpoint that is valid for this use.
    static func endpoint(_ name: String, default text: String, _ use: Endpoint.Use, _ meaning: String) -> Setting {
        let allowed = "tcp://HOST:PORT or ipc:///PATH"
        return Setting(name, default: text, meaning, allowed: (use == .follow ? "dns://NAME:PORT, " : "") + allowed) {
            Endpoint($0, for: use)?.text
        }
    }
}

extension Setting<Int> {
    /// Returns a setting whose value is a whole number.
    static func count(
        _ name: String, default value: Int? = nil, in range: ClosedRange<Int>, _ meaning: String
    ) -> Setting {
        Setting(
            name, default: value.map { "\($0)" }, meaning,
            allowed: "a whole number from \(range.lowerBound) to \(range.upperBound)"
        ) { Int($0).flatMap { range.contains($0) ? $0 : nil } }
    }

    /// Returns a setting whose value is a number of bytes, written as `20000000`, `20MB` or `512MiB`.
    static func bytes(_ name: String, default text: String, in range: ClosedRange<Int>, _ meaning: String) -> Setting {
        Setting(
            name, default: text, meaning,
            allowed: "a size from \(range.lowerBound) to \(range.upperBound) bytes, such as 20000000, 20MB or 512MiB"
        ) { Units.bytes($0).flatMap { range.contains($0) ? $0 : nil } }
    }
}

extension Setting<Duration> {
    /// Returns a setting whose value is a duration, written as `500ms`, `10s`, `1.5m` or `1h`.
    static func time(
        _ name: String, default text: String, in range: ClosedRange<Duration>, _ meaning: String
    ) -> Setting {
        Setting(
            name, default: text, meaning,
            allowed:
                "a time from \(Units.text(range.lowerBound)) to \(Units.text(range.upperBound)), such as 500ms or 10s"
        ) { Units.duration($0).flatMap { range.contains($0) ? $0 : nil } }
    }
}

extension Setting<Bool> {
    /// Returns a setting whose value is true or false, and false by default.
    static func flag(_ name: String, _ meaning: String) -> Setting {
        Setting(name, default: "false", meaning, allowed: "true or false", form: .flag) { text in
            switch text.lowercased() {
            case "true", "yes", "1": true
            case "false", "no", "0": false
            default: nil
            }
        }
    }
}

extension Setting<Logger.Level> {
    /// Returns a setting whose value is a log level.
    static func level(_ name: String, default level: Logger.Level, _ meaning: String) -> Setting {
        Setting(
            name, default: level.rawValue, meaning,
            allowed: Logger.Level.allCases.map(\.rawValue).joined(separator: ", "),
            completion: .list(Logger.Level.allCases.map(\.rawValue)), parse: Logger.Level.init(rawValue:))
    }
}

/// Parses and writes numbers with units, such as `10s` and `512MiB`.
enum Units {
    /// Returns the duration that a text such as `500ms`, `10s`, `1.5m` or `1h` stands for; nil for any other text.
    static func duration(_ text: String) -> Duration? {
        let seconds: [(String, Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)]
        // Whole microseconds are precise enough, and exact, which fractions of seconds in a Double are not.
        return amount(text, seconds).map { .microseconds(Int64(($0 * 1e6).rounded())) }
    }

    /// Returns the number of bytes that a text such as `20000000`, `20MB` or `512MiB` stands for; nil for any other
    /// text.
    static func bytes(_ text: String) -> Int? {
        let bytes: [(String, Double)] = [
            ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("B", 1),
            ("", 1),
        ]
        return amount(text, bytes).flatMap { Int(exactly: $0.rounded()) }
    }

    /// Returns the text for a duration, in whole milliseconds if it is shorter than 1 s and in whole seconds otherwise.
    static func text(_ duration: Duration) -> String {
        let milliseconds = duration / .milliseconds(1)
        return milliseconds < 1000 ? "\(Int(milliseconds))ms" : "\(Int(milliseconds / 1000))s"
    }

    private static func amount(_ text: String, _ units: [(suffix: String, factor: Double)]) -> Double? {
        for unit in units where text.hasSuffix(unit.suffix) {
            let digits = text.dropLast(unit.suffix.count)
            guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
                let number = Double(digits), number < 1e15
            else { return nil }
            return number * unit.factor
        }
        return nil
    }
}
