import Configuration
import ProcessSupport

/// Why a program cannot start with the settings it was given, in one sentence for whoever wrote them.
package struct SettingsError: UsageError, Equatable, CustomStringConvertible {
    /// The name of the setting at fault, if it is one.
    let setting: String?
    /// The sentence: what is wrong, where it was written, and what to do.
    package let description: String

    init(setting: String?, _ description: String) {
        self.setting = setting
        self.description = description
    }
}

/// The three places where settings stand. The command line wins, then the environment, then the file.
struct SettingsLayers: Sendable {
    /// A provider of swift-configuration, and how to tell people where it has a setting from.
    private struct Layer: Sendable {
        let provider: any ConfigProvider
        /// The environment has one text for each setting, the others have lists.
        var type = ConfigType.stringArray
        var prefix: [String] = []
        let place: @Sendable (SettingDescription) -> String
    }

    /// For defaults that depend on it.
    let environment: [String: String]
    private var layers: [Layer]

    /// - Parameter given: what stood on the command line.
    /// - Throws: if the file of `--config` (or `BIFRONS_CONFIG`) cannot be read, or sets what does not exist.
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

    /// What is written for a setting, and where; nil if it is set nowhere.
    func find(_ setting: SettingDescription) -> (texts: [String], place: String)? {
        for layer in layers {
            let key = AbsoluteConfigKey(layer.prefix + [setting.name])
            switch try? layer.provider.value(forKey: key, type: layer.type).value?.content {
            case .string(let text)?: return ([text], layer.place(setting))
            case .stringArray(let texts)?: return (texts, layer.place(setting))
            default: continue
            }
        }
        return nil
    }

    /// Settings are not nested: a name is one component, whatever stands in it.
    private static func provider(_ values: [String: [String]]) -> InMemoryProvider {
        let content = values.map { (AbsoluteConfigKey([$0]), ConfigValue(.stringArray($1), isSecret: false)) }
        return InMemoryProvider(values: Dictionary(uniqueKeysWithValues: content))
    }
}
