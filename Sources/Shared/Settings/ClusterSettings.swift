package import ArgumentParser

/// The command line of `bifrons up`: that of its children, and how many there are.
package struct ClusterOptions: ParsableArguments {
    @Option(Keys.workers) var workers: String?
    @Option(Keys.locatorWorkers) var locatorWorkers: String?
    @OptionGroup var router: RouterOptions
    @OptionGroup var tuning: WorkerTuningOptions
    @OptionGroup var http: GatewayHTTPOptions

    package init() {}

    /// What was given.
    package var given: [GivenOption] {
        [GivenOption(Keys.workers, workers), GivenOption(Keys.locatorWorkers, locatorWorkers)]
            + router.given + tuning.given + http.given
    }
}

/// The settings of `bifrons up`, validated.
package struct ClusterSettings: Equatable, Sendable {
    package var workersPerModel: Int
    package var locatorWorkers: Int
    /// Threads of each of the locator's workers.
    package var decodeThreads: Int
    /// The router's settings, for what the supervisor itself must know of them.
    package var router: RouterSettings
    /// Where clients of this machine connect.
    package var clientPeer: String
    /// Where the cluster's workers connect.
    package var workerPeer: String
    /// What to hand on to the router. The environment and the file of `--config` reach the children by themselves.
    package var routerArguments: [String]
    /// What to hand on to every worker, besides its model and the router's endpoint.
    package var workerArguments: [String]
    /// What to hand on to the gateway, besides the router's endpoint; nil: there is to be none.
    package var gatewayArguments: [String]?

    /// Reads the command line, then the environment, then the file of `--config`, and validates what the children will
    /// read, so that a mistake is told once and at once.
    package init(
        _ options: ClusterOptions = ClusterOptions.none,
        environment: [String: String] = Environment.ofProcess
    ) throws(SettingsError) {
        let layers = try SettingsLayers(
            // What 'up' itself tells each child.
            options.given + [GivenOption(Keys.model, "models"), GivenOption(Keys.workerRouter, "ipc://router")],
            environment: environment)
        locatorWorkers = try layers.read(Keys.locatorWorkers)
        router = try RouterSettings(layers)
        let worker = try WorkerSettings(layers, environment: environment)
        decodeThreads = worker.decodeThreads
        // With one each, a core would wait while the slowest model's is busy; which cores work for what the system decides.
        workersPerModel = try layers.optional(Keys.workers) ?? max(1, min(256, Processors.usable / worker.threads))
        _ = try GatewaySettings(layers)
        clientPeer = try Self.peer(of: router.clientEndpoint, Keys.clientEndpoint, layers)
        workerPeer = try Self.peer(of: router.workerEndpoint, Keys.workerEndpoint, layers)
        routerArguments = options.router.given.flatMap(\.arguments)
        workerArguments = (options.tuning.given + options.router.service.given).flatMap(\.arguments)
        let insecure = GivenOption(Keys.insecure, options.router.insecure)
        gatewayArguments = (options.http.given + [insecure] + options.router.service.given).flatMap(\.arguments)
    }

    /// The settings of a cluster that a single command starts for itself: its endpoints are in `folder`, it has no gateway,
    /// and it says nothing but errors. The rest is as the environment and the file have it.
    package static func temporary(
        folder: String, _ connection: ConnectionOptions, environment: [String: String] = Environment.ofProcess
    ) throws(SettingsError) -> ClusterSettings {
        var options = ClusterOptions.none
        options.router.clientEndpoint = "ipc://\(folder)/clients"
        options.router.workerEndpoint = "ipc://\(folder)/workers"
        options.router.service.logLevel = "error"
        options.router.service.config = connection.config
        options.router.service.keys = connection.keys
        var settings = try ClusterSettings(options, environment: environment)
        settings.gatewayArguments = nil
        return settings
    }

    private static func peer(
        of endpoint: String, _ key: Setting<String>, _ layers: SettingsLayers
    ) throws(SettingsError) -> String {
        if let peer = Endpoint(endpoint, for: .bind)?.localPeer { return peer }
        throw SettingsError(
            setting: key.name,
            "\(layers.source(of: key)) is \(endpoint), which leaves the port to chance; 'up' needs a fixed one to tell others"
        )
    }
}

extension ParsableArguments {
    /// An empty command line.
    package static var none: Self {
        // Nothing in our option groups is required, so parsing nothing succeeds.
        (try? parse([])) ?? Self()
    }
}
