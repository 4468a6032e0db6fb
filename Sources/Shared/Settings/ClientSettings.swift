/// Where a command finds the service: the settings on the command line of `bifrons status` and `bifrons models`.
package struct ConnectionSchema: SettingsSchema {
    package let config = SharedSettings.config
    package let keys = SharedSettings.keys
    package let routers = SharedSettings.clientRouters

    package init() {}
}

/// The settings of a client, `bifrons classify` for instance. Each one's text says what it means; where a value may be
/// nil, nobody has set it.
package struct ClientSchema: SettingsSchema {
    package let config = SharedSettings.config
    package let keys = SharedSettings.keys
    package let routers = SharedSettings.clientRouters
    package let budgetMilliseconds = Setting.count(
        "budget-ms", default: 5000, in: 1...600_000, "milliseconds that a job may take in the service")
    package let imageBytes = SharedSettings.imageBytes
    package let priority = Setting.count("priority", default: 4, in: 0...9, "9 is first, 0 last")
    package let policy = Setting.name("policy", default: "default", "the policy that decides on the action")
    package let models = Setting.name("models", "models to ask, separated by commas; all otherwise").list.optional
    package let require = Setting.choice(
        "require", default: "any", of: ["any", "all"], "whether one model's score is enough")

    package init() {}
}

/// The command line of a command that only asks what there is.
package typealias ConnectionOptions = SettingOptions<ConnectionSchema>
/// The command line of a command that submits images.
package typealias ClientOptions = SettingOptions<ClientSchema>
/// The settings of a client, validated.
package typealias ClientSettings = SettingValues<ClientSchema>
