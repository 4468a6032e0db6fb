/// The settings of `bifrons status` and `bifrons models`, which say where the service is.
package struct ConnectionSchema: SettingsSchema {
    package let config = SharedSettings.config
    package let keys = SharedSettings.keys
    package let routers = SharedSettings.clientRouters

    package init() {}
}

/// The settings of a client, for instance `bifrons classify`. Each declaration contains the text that explains it. An
/// optional value is nil if nobody has set it.
package struct ClientSchema: SettingsSchema {
    package let config = SharedSettings.config
    package let keys = SharedSettings.keys
    package let routers = SharedSettings.clientRouters
    package let budgetMilliseconds = Setting.count(
        "budget-ms", default: 5000, in: 1...600_000, "the time that a job may take in the service, in milliseconds")
    package let imageBytes = SharedSettings.imageBytes
    package let priority = Setting.count(
        "priority", default: 4, in: 0...9, "the job's priority: 9 is the highest, 0 the lowest")
    package let policy = Setting.name("policy", default: "default", "the policy that decides on the action")
    package let models = Setting.name("models", "the models to ask, separated by commas (default: all)").list.optional
    package let require = Setting.choice(
        "require", default: "any", of: ["any", "all"],
        "whether one model's score is enough (any) or every model must give one (all)")

    package init() {}
}

/// The command line of `bifrons status` and `bifrons models`.
package typealias ConnectionOptions = SettingOptions<ConnectionSchema>
/// The command line of a command that submits images.
package typealias ClientOptions = SettingOptions<ClientSchema>
/// The settings of a client, validated.
package typealias ClientSettings = SettingValues<ClientSchema>
