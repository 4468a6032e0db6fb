import ArgumentParser
import Logging

/// What people are told of a setting: in `--help`, in errors and in the table of the README.
struct SettingDescription: Sendable {
    enum Form {
        case value
        /// Several values: the option is given several times, or they stand in one text with commas between them.
        case list
        /// `--name` or `--no-name`.
        case flag
    }

    /// The name on the command line behind `--`, and the key in the file; see ``environmentName`` for the third place.
    let name: String
    /// The default, as somebody would write it; nil if there is none, or if it is not the same everywhere.
    let defaultText: String?
    /// What may be written, with its range and unit, to follow "must be".
    let allowed: String
    /// What the setting does, in a few words.
    let meaning: String
    let completion: CompletionKind
    var form: Form
    /// Whether each process needs its own, so that `bifrons up` decides on it and does not hand one on to all.
    var isIndividual = false

    /// The name in the environment: `BIFRONS_CLIENT_ENDPOINT` for `client-endpoint`.
    var environmentName: String {
        "BIFRONS_" + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    var help: ArgumentHelp {
        ArgumentHelp(stringLiteral: meaning + (defaultText.map { " (default: \($0))" } ?? ""))
    }
}

/// A setting, whatever its values are.
protocol DeclaredSetting: Sendable {
    associatedtype Value: Sendable

    var description: SettingDescription { get }

    /// The value that somebody set, or the default.
    /// - Throws: if what somebody set is not allowed, or if there is neither.
    func value(in layers: SettingsLayers) throws(SettingsError) -> Value
}

/// The one declaration of a setting: what people are told of it, which texts are allowed, what value they become, and what
/// holds when there are none.
package struct Setting<Value: Sendable>: DeclaredSetting {
    var description: SettingDescription
    /// The value that texts stand for; nil if they are not allowed. There is one text, or of a list any number.
    let parse: @Sendable (_ texts: [String]) -> Value?
    /// The value without any text, of a process with this environment; nil if it cannot do without.
    var fallback: @Sendable (_ environment: [String: String]) -> Value?

    /// The same setting; nil when nobody sets it.
    var optional: Setting<Value?> {
        Setting<Value?>(
            description: description, parse: { [parse] in parse($0).map(Optional.some) }, fallback: { _ in .some(nil) })
    }

    /// The same setting, which may have several values.
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

    /// The same setting, with a default that is not the same everywhere.
    func otherwise(_ fallback: @escaping @Sendable (_ environment: [String: String]) -> Value) -> Setting {
        var setting = self
        setting.fallback = fallback
        return setting
    }

    /// The same setting, of which each process needs its own.
    var individual: Setting {
        var setting = self
        setting.description.isIndividual = true
        return setting
    }

    func value(in layers: SettingsLayers) throws(SettingsError) -> Value {
        let name = description.name
        if let (texts, place) = layers.find(description) {
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
    /// A setting of one text, with or without a default.
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
    static func text(_ name: String, default text: String? = nil, _ meaning: String) -> Setting {
        Setting(name, default: text, meaning, allowed: "a text") { $0.isEmpty ? nil : $0 }
    }

    static func file(_ name: String, _ meaning: String) -> Setting {
        Setting(name, default: nil, meaning, allowed: "a text", completion: .file()) { $0.isEmpty ? nil : $0 }
    }

    static func folder(_ name: String, default text: String? = nil, _ meaning: String) -> Setting {
        Setting(name, default: text, meaning, allowed: "a text", completion: .directory) { $0.isEmpty ? nil : $0 }
    }

    /// A name as the protocols carry it.
    static func name(_ name: String, default text: String? = nil, _ meaning: String) -> Setting {
        Setting(name, default: text, meaning, allowed: "a name of 1 to 64 bytes") {
            (1...64).contains($0.utf8.count) ? $0 : nil
        }
    }

    static func choice(_ name: String, default text: String? = nil, of choices: [String], _ meaning: String) -> Setting
    {
        Setting(name, default: text, meaning, allowed: choices.joined(separator: " or "), completion: .list(choices)) {
            choices.contains($0) ? $0 : nil
        }
    }

    static func endpoint(_ name: String, default text: String, _ use: Endpoint.Use, _ meaning: String) -> Setting {
        let allowed = "tcp://HOST:PORT or ipc:///PATH"
        return Setting(name, default: text, meaning, allowed: (use == .follow ? "dns://NAME:PORT, " : "") + allowed) {
            Endpoint($0, for: use)?.text
        }
    }
}

extension Setting<Int> {
    static func count(
        _ name: String, default value: Int? = nil, in range: ClosedRange<Int>, _ meaning: String
    ) -> Setting {
        Setting(
            name, default: value.map { "\($0)" }, meaning,
            allowed: "a whole number from \(range.lowerBound) to \(range.upperBound)"
        ) { Int($0).flatMap { range.contains($0) ? $0 : nil } }
    }

    /// Bytes: `20000000`, `20MB` or `512MiB`.
    static func bytes(_ name: String, default text: String, in range: ClosedRange<Int>, _ meaning: String) -> Setting {
        Setting(
            name, default: text, meaning,
            allowed: "a size from \(range.lowerBound) to \(range.upperBound) bytes, such as 20000000, 20MB or 512MiB"
        ) { Units.bytes($0).flatMap { range.contains($0) ? $0 : nil } }
    }
}

extension Setting<Duration> {
    /// A time: `500ms`, `10s`, `1.5m` or `1h`.
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
    static func level(_ name: String, default level: Logger.Level, _ meaning: String) -> Setting {
        Setting(
            name, default: level.rawValue, meaning,
            allowed: Logger.Level.allCases.map(\.rawValue).joined(separator: ", "),
            completion: .list(Logger.Level.allCases.map(\.rawValue)), parse: Logger.Level.init(rawValue:))
    }
}

/// Numbers with a unit behind them.
enum Units {
    static func duration(_ text: String) -> Duration? {
        let seconds: [(String, Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)]
        // Microseconds are fine enough, and exact where a Double of seconds is not.
        return amount(text, seconds).map { .microseconds(Int64(($0 * 1e6).rounded())) }
    }

    static func bytes(_ text: String) -> Int? {
        let bytes: [(String, Double)] = [
            ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("B", 1),
            ("", 1),
        ]
        return amount(text, bytes).flatMap { Int(exactly: $0.rounded()) }
    }

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
