import ArgumentParser

/// A program's command line: one option for each of its settings.
///
/// ArgumentParser finds options by reflection, usually as properties, and decodes each by the name found. This type
/// takes both the options and their names from the schema, so that a setting is declared only there.
package struct SettingOptions<Schema: SettingsSchema>: ParsableArguments, CustomReflectable, Sendable {
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) {
            self.stringValue = stringValue
        }

        init?(intValue: Int) { return nil }
    }

    /// The options on the command line, in the schema's order.
    package let given: [GivenOption]

    /// Creates the definition of the options, with none given.
    package init() {
        given = []
    }

    /// Creates the options from what ArgumentParser has read.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        given = try Schema.all.map { $0.description }.compactMap { setting -> GivenOption? in
            let key = Name(stringValue: setting.name)
            let texts: [String]? =
                switch setting.form {
                case .value: try container.decode(Option<String?>.self, forKey: key).wrappedValue.map { [$0] }
                case .list: try container.decode(Option<[String]>.self, forKey: key).wrappedValue
                case .flag: try container.decode(Flag<Bool?>.self, forKey: key).wrappedValue.map { ["\($0)"] }
                }
            return texts.flatMap { $0.isEmpty ? nil : GivenOption(setting, $0) }
        }
    }

    /// The options that ArgumentParser finds by reflection: one for each setting, under its name.
    package var customMirror: Mirror {
        Mirror(self, children: Schema.all.map { ($0.description.name, $0.description.option) as Mirror.Child })
    }
}

extension SettingDescription {
    /// The option as ArgumentParser's property wrapper.
    ///
    /// It is optional and has no default, which would hide values of the environment and the file. Its text is
    /// validated together with theirs, so that the same mistake gets the same error from each source.
    fileprivate var option: Any {
        switch form {
        case .value: Option<String?>(name: .customLong(name), help: help, completion: completion)
        case .list:
            Option<[String]>(
                wrappedValue: [], name: .customLong(name), parsing: .singleValue, help: help, completion: completion)
        case .flag: Flag<Bool?>(name: .customLong(name), inversion: .prefixedNo, help: help)
        }
    }
}

/// One setting's values on the command line.
package struct GivenOption: Equatable, Sendable {
    /// The setting's name.
    let name: String
    /// The values as they were written; "true" or "false" for a flag.
    let texts: [String]
    private let isFlag: Bool

    init(_ setting: SettingDescription, _ texts: [String]) {
        name = setting.name
        self.texts = texts
        isFlag = setting.form == .flag
    }

    /// The arguments that give a child process the same values.
    var arguments: [String] {
        if isFlag { return [texts == ["true"] ? "--\(name)" : "--no-\(name)"] }
        return texts.map { "--\(name)=\($0)" }
    }
}
