/// The settings of a program, a property for each.
///
/// Everything else about them follows from the properties: the command line with its help (``SettingOptions``), the names in
/// the environment and in the file, the values (``SettingValues``), what `bifrons up` hands on, and the table of the README.
package protocol SettingsSchema: Sendable {
    /// The programs that it starts: it takes their settings, too, and hands each on to those that have it.
    static var children: [any SettingsSchema.Type] { get }

    /// Every setting with its description.
    init()

    /// Throws if values that are allowed each by itself do not go together.
    static func check(_ values: SettingValues<Self>) throws(SettingsError)
}

extension SettingsSchema {
    /// Most programs start no others.
    package static var children: [any SettingsSchema.Type] { [] }

    /// Most settings do not depend on each other.
    package static func check(_ values: SettingValues<Self>) throws(SettingsError) {}

    /// All settings in the order of their declarations, and behind them those of the children, each once.
    static var all: [any DeclaredSetting] {
        let own = Mirror(reflecting: Self()).children.compactMap { $0.value as? any DeclaredSetting }
        var names: Set<String> = []
        return (own + children.flatMap { $0.all.filter { !$0.description.isIndividual } })
            .filter { names.insert($0.description.name).inserted }
    }
}

/// The values of a program's settings, each as its declaration has it: `settings.maxJobs` is that of `Schema.maxJobs`.
@dynamicMemberLookup
package struct SettingValues<Schema: SettingsSchema>: Sendable {
    private let schema = Schema()
    private let layers: SettingsLayers
    /// By the settings' names; of the types that the settings have.
    private var values: [String: any Sendable] = [:]

    /// Reads the command line, then the environment, then the file of `--config`.
    ///
    /// - Parameter given: what stood on the command line.
    /// - Throws: if a value is not allowed, is missing or does not go with another; if the file cannot be read, or sets
    ///   what does not exist.
    package init(
        _ given: [GivenOption] = [], environment: [String: String] = Environment.ofProcess
    ) throws(SettingsError) {
        try self.init(SettingsLayers(given, environment: environment))
    }

    init(_ layers: SettingsLayers) throws(SettingsError) {
        self.layers = layers
        for setting in Schema.all { values[setting.description.name] = try setting.value(in: layers) }
        try Schema.check(self)
    }

    /// The value of a setting.
    package subscript<Value>(dynamicMember path: KeyPath<Schema, Setting<Value>>) -> Value {
        get { values[schema[keyPath: path].description.name]! as! Value }
        set { values[schema[keyPath: path].description.name] = newValue }
    }

    /// Whether somebody has set a setting, or its default is used.
    package func isSet(_ path: KeyPath<Schema, Setting<some Sendable>>) -> Bool {
        layers.find(schema[keyPath: path].description) != nil
    }

    /// What is wrong with a setting beside others, in a sentence that begins with what it is and where that was set.
    func mistake<Value>(_ path: KeyPath<Schema, Setting<Value>>, _ rest: String) -> SettingsError {
        let setting = schema[keyPath: path].description
        let place = layers.find(setting)?.place ?? "the default"
        return SettingsError(setting: setting.name, "\(place) is \(self[dynamicMember: path])\(rest)")
    }

    /// Throws if a limit of bytes is lower than what one image may have.
    func requireRoom(_ path: KeyPath<Schema, Setting<Int>>, forAnImageOf imageBytes: Int) throws(SettingsError) {
        guard self[dynamicMember: path] < imageBytes else { return }
        throw mistake(
            path, " bytes, less than one image of image-bytes (\(imageBytes)); raise the one or lower the other")
    }
}
