import Configuration

/// Why a program cannot start with the settings it was given, in one sentence for whoever wrote them.
package struct SettingsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The name of the setting at fault, if it is one.
    package let setting: String?
    package let description: String

    package init(setting: String?, _ description: String) {
        self.setting = setting
        self.description = description
    }
}

/// What somebody wrote on the command line for one setting; nil if nothing.
package struct GivenOption: Sendable {
    let name: String
    let values: [String]?
    let isFlag: Bool

    init(_ setting: Setting<some Any>, _ value: String?) {
        self.init(setting, value.map { [$0] } ?? [])
    }

    init(_ setting: Setting<some Any>, _ values: [String]) {
        name = setting.name
        self.values = values.isEmpty ? nil : values
        isFlag = false
    }

    init(_ setting: Setting<Bool>, _ value: Bool?) {
        name = setting.name
        values = value.map { ["\($0)"] }
        isFlag = true
    }

    /// The same, written again for a child process.
    package var arguments: [String] {
        guard let values else { return [] }
        if isFlag { return [values == ["true"] ? "--\(name)" : "--no-\(name)"] }
        return values.map { "--\(name)=\($0)" }
    }
}

/// The three places where settings stand. The command line wins, then the environment, then the file.
struct SettingsLayers {
    /// A provider of swift-configuration, and how to tell people where it has a setting from.
    private struct Layer {
        let provider: any ConfigProvider
        let prefix: [String]
        let place: (SettingDescription) -> String
    }

    private var layers: [Layer]

    /// - Parameter given: what stood on the command line.
    /// - Throws: if the file of `--config` (or `BIFRONS_CONFIG`) cannot be read, or sets what does not exist.
    init(_ given: [GivenOption], environment: [String: String]) throws(SettingsError) {
        let commandLine = given.filter { $0.values != nil }.map { (key($0.name), $0.values!) }
        layers = [
            Layer(
                provider: InMemoryProvider(
                    name: "command line", values: Self.content(commandLine)), prefix: [],
                place: { "--\($0.name)" }),
            Layer(
                provider: EnvironmentVariablesProvider(environmentVariables: environment), prefix: ["bifrons"],
                place: { "\($0.environmentName) in the environment" }),
        ]
        guard let path = try optional(Keys.config) else { return }
        let values = try SettingsFile.read(path).map { (key($0.key), $0.value) }
        layers.append(
            Layer(
                provider: InMemoryProvider(name: path, values: Self.content(values)), prefix: [],
                place: { "'\($0.name)' in \(path)" }))
    }

    /// The value of a setting, or its default.
    /// - Throws: if it is not an allowed one, or if there is neither.
    func read<Value>(_ setting: Setting<Value>) throws(SettingsError) -> Value {
        if let value = try optional(setting) { return value }
        guard let text = setting.description.defaultText, let value = setting.parse(text) else {
            throw missing(setting.description)
        }
        return value
    }

    /// The value of a setting if it is set anywhere.
    func optional<Value>(_ setting: Setting<Value>) throws(SettingsError) -> Value? {
        guard let (texts, layer) = find(setting.description) else { return nil }
        guard texts.count == 1, let value = setting.parse(texts[0]) else {
            throw refused(setting.description, texts, layer)
        }
        return value
    }

    /// The values of a setting that may have several.
    func list<Value>(_ setting: Setting<Value>) throws(SettingsError) -> [Value] {
        if let values = try optionalList(setting) { return values }
        return [try read(setting)]
    }

    /// The values of a setting that may have several, if it is set anywhere.
    func optionalList<Value>(_ setting: Setting<Value>) throws(SettingsError) -> [Value]? {
        guard let (texts, layer) = find(setting.description) else { return nil }
        let parts = texts.flatMap { $0.split(separator: ",").map(String.init) }
        let values = parts.compactMap(setting.parse)
        guard !values.isEmpty, values.count == parts.count else { throw refused(setting.description, texts, layer) }
        return values
    }

    /// Where the value of a setting comes from, for errors.
    func source(of setting: Setting<some Any>) -> String {
        find(setting.description)?.layer.place(setting.description) ?? "the default"
    }

    private func find(_ setting: SettingDescription) -> (texts: [String], layer: Layer)? {
        for layer in layers {
            let key = AbsoluteConfigKey(layer.prefix + [setting.name])
            // The environment has texts, the other two lists of texts; a provider throws for the type that it has not.
            if case .string(let text)? = try? layer.provider.value(forKey: key, type: .string).value?.content {
                return ([text], layer)
            }
            if case .stringArray(let texts)? = try? layer.provider.value(forKey: key, type: .stringArray).value?.content
            {
                return (texts, layer)
            }
        }
        return nil
    }

    private func refused(_ setting: SettingDescription, _ texts: [String], _ layer: Layer) -> SettingsError {
        SettingsError(
            setting: setting.name,
            "\(layer.place(setting)) is '\(texts.joined(separator: ","))'; it must be \(setting.allowed)")
    }

    private func missing(_ setting: SettingDescription) -> SettingsError {
        SettingsError(
            setting: setting.name,
            "no \(setting.name) is set (\(setting.meaning)); give --\(setting.name), \(setting.environmentName) "
                + "or '\(setting.name)' in the file of --config")
    }

    private static func content(_ values: [(AbsoluteConfigKey, [String])]) -> [AbsoluteConfigKey: ConfigValue] {
        Dictionary(
            values.map { ($0.0, ConfigValue(.stringArray($0.1), isSecret: false)) }, uniquingKeysWith: { $1 })
    }
}

/// Settings are not nested: a name is one component, whatever stands in it.
private func key(_ name: String) -> AbsoluteConfigKey {
    AbsoluteConfigKey([name])
}
