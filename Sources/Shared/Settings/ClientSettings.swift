internal import ArgumentParser

/// Where a command finds the service.
package struct ConnectionOptions: ParsableArguments {
    @Option(Keys.config) var config: String?
    @Option(Keys.keys) var keys: String?
    @Option(Keys.clientRouter) var router: [String] = []

    package init() {}

    /// What was given.
    package var given: [GivenOption] {
        [GivenOption(Keys.config, config), GivenOption(Keys.keys, keys), GivenOption(Keys.clientRouter, router)]
    }
}

/// What a command asks of the service for each image.
package struct RequestOptions: ParsableArguments {
    @Option(Keys.budget) var budget: String?
    @Option(Keys.imageBytes) var imageBytes: String?
    @Option(Keys.priority) var priority: String?
    @Option(Keys.policy) var policy: String?
    @Option(Keys.models) var models: [String] = []
    @Option(Keys.require) var require: String?

    package init() {}

    /// What was given.
    package var given: [GivenOption] {
        [
            GivenOption(Keys.budget, budget), GivenOption(Keys.imageBytes, imageBytes),
            GivenOption(Keys.priority, priority), GivenOption(Keys.policy, policy),
            GivenOption(Keys.models, models), GivenOption(Keys.require, require),
        ]
    }
}

/// The settings of a client, validated; `Keys` says what each means.
package struct ClientSettings: Equatable, Sendable {
    package var routers: [String]
    /// The folder of keys; nil: no encryption.
    package var keys: String?
    /// Whether somebody named a router, or the default is used.
    package var isRouterNamed: Bool
    package var budgetMilliseconds: Int
    /// The service's limit: larger images are not sent.
    package var imageBytes: Int
    package var priority: Int
    package var policy: String
    /// Nil: all.
    package var models: [String]?
    package var requiresAll: Bool

    /// Reads the command line, then the environment, then the file of `--config`.
    package init(
        _ connection: ConnectionOptions = ConnectionOptions.none, _ request: RequestOptions = RequestOptions.none,
        environment: [String: String] = Environment.ofProcess
    ) throws(SettingsError) {
        let layers = try SettingsLayers(connection.given + request.given, environment: environment)
        isRouterNamed = try layers.optionalList(Keys.clientRouter) != nil
        routers = try layers.list(Keys.clientRouter)
        keys = try layers.optional(Keys.keys)
        budgetMilliseconds = try layers.read(Keys.budget)
        imageBytes = try layers.read(Keys.imageBytes)
        priority = try layers.read(Keys.priority)
        policy = try layers.read(Keys.policy)
        models = try layers.optionalList(Keys.models)
        requiresAll = try layers.read(Keys.require) == "all"
    }
}
