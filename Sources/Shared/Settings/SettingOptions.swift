import ArgumentParser

/// A program's settings on its command line: an option for each.
///
/// ArgumentParser looks for options by reflection, and decodes each by the name that it found there. Here neither is the work
/// of properties: both ask the schema, so that a setting is declared nowhere else.
package struct SettingOptions<Schema: SettingsSchema>: ParsableArguments, CustomReflectable, Sendable {
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) {
            self.stringValue = stringValue
        }

        init?(intValue: Int) { return nil }
    }

    /// What stood on the command line, in the schema's order.
    package let given: [GivenOption]

    /// The definition of the options, with nothing given.
    package init() {
        given = []
    }

    /// What ArgumentParser has read.
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

    /// What ArgumentParser finds by reflection: an option for each setting, by its name.
    package var customMirror: Mirror {
        Mirror(self, children: Schema.all.map { ($0.description.name, $0.description.option) as Mirror.Child })
    }
}

extension SettingDescription {
    /// Optional and without a default, or it would mask the environment and the file; its text is judged where those are, so
    /// that the same mistake gets the same answer everywhere.
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

/// What somebody wrote on the command line for one setting.
package struct GivenOption: Equatable, Sendable {
    let name: String
    let texts: [String]
    private let isFlag: Bool

    init(_ setting: SettingDescription, _ texts: [String]) {
        name = setting.name
        self.texts = texts
        isFlag = setting.form == .flag
    }

    /// The same, written again for a child process.
    var arguments: [String] {
        if isFlag { return [texts == ["true"] ? "--\(name)" : "--no-\(name)"] }
        return texts.map { "--\(name)=\($0)" }
    }
}
