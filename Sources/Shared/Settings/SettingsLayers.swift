import Configuration
import ProcessSupport

/// The reason why a program cannot start with its settings, in one sentence for the user who wrote them.
package struct SettingsError: UsageError, Equatable, CustomStringConvertible {
    /// The name of the wrong setting; nil if the error concerns none in particular.
    let setting: String?
    /// A sentence that says what is wrong, where it was written, and what to do.
    package let description: String

    init(setting: String?, _ description: String) {
        self.setting = setting
        self.description = description
    }
}

/// The three sources of settings, in their order of precedence: the command line, the environment and the file.
struct SettingsLayers: Sendable {
    /// One source: a provider of swift-configuration, and how errors name the place of a setting in it.
    private struct Layer: Sendable {
        let provider: any ConfigProvider
        /// The type of values: one text for each setting in the environment, lists in the other sources.
        var type = ConfigType.stringArray
        var prefix: [String] = []
        let place: @Sendable (SettingDescription) -> String
    }

    /// The environment, for defaults that depend on it.
    let environment: [String: String]
    private var layers: [Layer]

    /// Collects the sources, and reads the file of `--config` (or `BIFRONS_CONFIG`) if there is one.
    ///
    /// - Parameter given: The options on the command line.
    /// - Throws: An error if the file cannot be read, or sets a setting that does not exist.
    init(_ given: [GivenOption], environment: [String: String]) throws(SettingsError) {
        self.environment = environment
        let commandLine = Dictionary(given.map { ($0.name, $0.texts) }, uniquingKeysWith: { $1 })
        layers = [
            Layer(provider: Self.provider(commandLine), place: { "--\($0.name)" }),
            Layer(
                provider: EnvironmentVariablesProvider(environmentVariables: environment), type: .string,
                prefix: ["bifrons"], place: { "\($0.environmentName) in the environment" }),
        ]
        guard let path = try SharedSettings.config.value(in: self) else { return }
        layers.append(
            Layer(provider: Self.provider(try SettingsFile.read(path)), place: { "'\($0.name)' in \(path)" }))
    }

    /// Returns the texts of a setting, the place where they are set, and the rank of that source, 0 for the highest
    /// precedence; nil if it is not set.
    func find(_ setting: SettingDescription) -> (texts: [String], place: String, rank: Int)? {
        for (rank, layer) in layers.enumerated() {
            let key = AbsoluteConfigKey(layer.prefix + [setting.name])
            switch try? layer.provider.value(forKey: key, type: layer.type).value?.content {
            case .string(let text)?: return ([text], layer.place(setting), rank)
            case .stringArray(let texts)?: return (texts, layer.place(setting), rank)
            default: continue
            }
        }
        return nil
    }

    /// Returns a provider of the values. Each name is one component of a key, because settings are not nested.
    private static func provider(_ values: [String: [String]]) -> InMemoryProvider {
        let content = values.map { (AbsoluteConfigKey([$0]), ConfigValue(.stringArray($1), isSecret: false)) }
        return InMemoryProvider(values: Dictionary(uniqueKeysWithValues: content))
    }
}
