import ArgumentParser
import Logging

/// What people are told of a setting: in `--help`, in errors and in the table of the README.
package struct SettingDescription: Equatable, Sendable {
    /// The name on the command line behind `--`, and the key in the file; see ``environmentName`` for the third place.
    package let name: String
    /// The default, as somebody would write it; nil if there is none.
    package let defaultText: String?
    /// What may be written, to follow "must be".
    package let allowed: String
    /// What the setting does, in a few words.
    package let meaning: String
    /// What a shell may complete a value with.
    let completion: Completion

    enum Completion: Equatable {
        case nothing, file, folder
        case words([String])
    }

    /// The name in the environment: `BIFRONS_CLIENT_ENDPOINT` for `client-endpoint`.
    package var environmentName: String {
        "BIFRONS_" + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    var completionKind: CompletionKind {
        switch completion {
        case .nothing: .default
        case .file: .file()
        case .folder: .directory
        case .words(let words): .list(words)
        }
    }

    var help: ArgumentHelp {
        ArgumentHelp(stringLiteral: meaning + (defaultText.map { " (default: \($0))" } ?? ""))
    }
}

/// A setting: its description, and how its text becomes a value.
package struct Setting<Value: Sendable>: Sendable {
    package let description: SettingDescription
    /// The value that a text stands for; nil if it is not an allowed one.
    let parse: @Sendable (String) -> Value?

    init(
        _ name: String, default defaultText: String?, _ meaning: String, allowed: String,
        completion: SettingDescription.Completion = .nothing, parse: @escaping @Sendable (String) -> Value?
    ) {
        description = SettingDescription(
            name: name, defaultText: defaultText, allowed: allowed, meaning: meaning, completion: completion)
        self.parse = parse
    }

    var name: String { description.name }
}

extension Setting<String> {
    static func text(_ name: String, default text: String? = nil, _ meaning: String) -> Setting {
        Setting(name, default: text, meaning, allowed: "a text") { $0.isEmpty ? nil : $0 }
    }

    static func file(_ name: String, _ meaning: String) -> Setting {
        Setting(name, default: nil, meaning, allowed: "a text", completion: .file) { $0.isEmpty ? nil : $0 }
    }

    static func folder(_ name: String, default text: String? = nil, _ meaning: String) -> Setting {
        Setting(name, default: text, meaning, allowed: "a text", completion: .folder) { $0.isEmpty ? nil : $0 }
    }

    /// A name as the protocols carry it.
    static func name(_ name: String, default text: String? = nil, _ meaning: String) -> Setting {
        Setting(name, default: text, meaning, allowed: "a name of 1 to 64 bytes") {
            (1...64).contains($0.utf8.count) ? $0 : nil
        }
    }

    static func choice(_ name: String, default text: String? = nil, of choices: [String], _ meaning: String) -> Setting
    {
        Setting(name, default: text, meaning, allowed: choices.joined(separator: " or "), completion: .words(choices)) {
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
    static func count(_ name: String, default value: Int?, in range: ClosedRange<Int>, _ meaning: String) -> Setting {
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
        Setting(name, default: "false", meaning, allowed: "true or false") { text in
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
            completion: .words(Logger.Level.allCases.map(\.rawValue)), parse: Logger.Level.init(rawValue:))
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
