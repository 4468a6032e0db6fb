/// The settings of a program, with one property for each.
///
/// Everything else is derived from the properties: the command line with its help (``SettingOptions``), the names in
/// the environment and the file, the values (``SettingValues``), what `bifrons up` passes on, and the README's table.
package protocol SettingsSchema: Sendable {
    /// The programs that this one starts. It accepts their settings, too, and passes each on to those that have it.
    static var children: [any SettingsSchema.Type] { get }

    /// Creates the declarations of all settings.
    init()

    /// Throws an error if values that are valid by themselves contradict each other.
    static func check(_ values: SettingValues<Self>) throws(SettingsError)
}

extension SettingsSchema {
    /// No programs, which is right for most.
    package static var children: [any SettingsSchema.Type] { [] }

    /// Accepts all values, because most settings do not depend on each other.
    package static func check(_ values: SettingValues<Self>) throws(SettingsError) {}

    /// All settings in the order of their declarations, followed by those of the children, each only once.
    static var all: [any DeclaredSetting] {
        let own = Mirror(reflecting: Self()).children.compactMap { $0.value as? any DeclaredSetting }
        var names: Set<String> = []
        return (own + children.flatMap { $0.all.filter { !$0.description.isIndividual } })
            .filter { names.insert($0.description.name).inserted }
    }
}

/// The values of a program's settings: `settings.maxJobs` is the value of the setting that `Schema.maxJobs` declares.
@dynamicMemberLookup
package struct SettingValues<Schema: SettingsSchema>: Sendable {
    private let schema = Schema()
    private let layers: SettingsLayers
    /// The values by the settings' names, each of its setting's type.
    private var values: [String: any Sendable] = [:]

    /// Reads the settings from the command line, the environment and the file of `--config`, in that order of
    /// precedence.
    ///
    /// - Parameter given: The options on the command line.
    /// - Throws: An error if a value is not allowed, is missing or contradicts another, or if the file cannot be read
    ///   or sets a setting that does not exist.
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

    /// Whether a user has set this setting. If not, its value is the default.
    package func isSet(_ path: KeyPath<Schema, Setting<some Sendable>>) -> Bool {
        layers.find(schema[keyPath: path].description) != nil
    }

    /// Returns the place where a setting is set, and the rank of that source, 0 for the highest precedence; nil if it is
    /// not set.
    func source(of path: KeyPath<Schema, Setting<some Sendable>>) -> (place: String, rank: Int)? {
        layers.find(schema[keyPath: path].description).map { ($0.place, $0.rank) }
    }

    /// Returns an error whose sentence begins with the place and the value of a setting, and continues with `rest`.
    func mistake<Value>(_ path: KeyPath<Schema, Setting<Value>>, _ rest: String) -> SettingsError {
        let setting = schema[keyPath: path].description
        let place = layers.find(setting)?.place ?? "the default"
        return SettingsError(setting: setting.name, "\(place) is \(self[dynamicMember: path])\(rest)")
    }

    /// Throws an error if a limit of bytes is lower than the largest size of an image.
    func requireRoom(_ path: KeyPath<Schema, Setting<Int>>, forAnImageOf imageBytes: Int) throws(SettingsError) {
        guard self[dynamicMember: path] < imageBytes else { return }
        throw mistake(
            path, " bytes, less than one image of image-bytes (\(imageBytes)); raise the one or lower the other")
    }
}
