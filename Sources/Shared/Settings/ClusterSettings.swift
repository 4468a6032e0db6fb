import ProcessSupport

/// The settings of `bifrons up`: those of its children, and how many there are.
package struct ClusterSchema: SettingsSchema {
    package let workers = Setting.count(
        "workers", in: 1...256,
        "workers that 'up' starts for each model: as many as keep all cores that it may use at work otherwise"
    ).optional
    package let locatorWorkers = Setting.count(
        "locator-workers", default: 1, in: 1...256, "workers that 'up' starts for the locator")

    /// What it starts.
    package static var children: [any SettingsSchema.Type] {
        [RouterSchema.self, WorkerSchema.self, GatewaySchema.self]
    }

    package init() {}
}

/// The command line of `bifrons up`.
package typealias ClusterOptions = SettingOptions<ClusterSchema>

/// The settings of `bifrons up`, validated.
package struct ClusterSettings: Sendable {
    /// How many workers of each model there are, at least 1.
    package let workersPerModel: Int
    /// How many workers of the locator there are, at least 1.
    package let locatorWorkers: Int
    /// Threads of each of the locator's workers.
    package let decodeThreads: Int
    /// The router's settings, for what the supervisor itself must know of them.
    package let router: RouterSettings
    /// Where clients of this machine connect.
    package let clientPeer: String
    /// Where the cluster's workers connect.
    package let workerPeer: String
    /// What to hand on to the router. The environment and the file of `--config` reach the children by themselves.
    package let routerArguments: [String]
    /// What to hand on to every worker, besides its model and the router's endpoint.
    package let workerArguments: [String]
    /// What to hand on to the gateway, besides the router's endpoint; nil: there is to be none.
    package private(set) var gatewayArguments: [String]?

    /// Reads the command line, then the environment, then the file of `--config`, and validates what the children will
    /// read, so that a mistake is told once and at once.
    ///
    /// - Parameter given: what stood on the command line.
    /// - Throws: what is wrong with a setting, of `up` or of a child.
    package init(
        _ given: [GivenOption] = [], environment: [String: String] = Environment.ofProcess
    ) throws(SettingsError) {
        // What 'up' itself tells each child.
        let worker = WorkerSchema()
        let told = [
            GivenOption(worker.model.description, ["models"]),
            GivenOption(worker.routers.description, ["ipc://router"]),
        ]
        let layers = try SettingsLayers(given + told, environment: environment)
        let own = try SettingValues<ClusterSchema>(layers)
        router = try RouterSettings(layers)
        let workers = try WorkerSettings(layers)
        _ = try GatewaySettings(layers)
        locatorWorkers = own.locatorWorkers
        decodeThreads = workers.decodeThreads
        // With one each, a core would wait while the slowest model's is busy; which cores work for what the system decides.
        workersPerModel = own.workers ?? max(1, min(256, Processors.usable / workers.threads))
        clientPeer = try Self.peer(\.clientEndpoint, router)
        workerPeer = try Self.peer(\.workerEndpoint, router)

        func arguments(_ child: any SettingsSchema.Type) -> [String] {
            child.all.map { $0.description }.filter { !$0.isIndividual }
                .flatMap { setting in given.filter { $0.name == setting.name }.flatMap(\.arguments) }
        }
        routerArguments = arguments(RouterSchema.self)
        workerArguments = arguments(WorkerSchema.self)
        gatewayArguments = arguments(GatewaySchema.self)
    }

    /// The settings of a cluster that a single command starts for itself: its endpoints are in `folder`, it has no gateway,
    /// and it says nothing but errors. Its keys and its file are the command's, the rest is as the environment and that file
    /// have it.
    ///
    /// - Parameter given: what stood on the command line of the command.
    /// - Throws: what is wrong with a setting.
    package static func temporary(
        folder: String, _ given: [GivenOption], environment: [String: String] = Environment.ofProcess
    ) throws(SettingsError) -> ClusterSettings {
        let schema = RouterSchema()
        let inherited = [schema.config.description.name, schema.keys.description.name]
        var settings = try ClusterSettings(
            [
                GivenOption(schema.clientEndpoint.description, ["ipc://\(folder)/clients"]),
                GivenOption(schema.workerEndpoint.description, ["ipc://\(folder)/workers"]),
                GivenOption(schema.logLevel.description, ["error"]),
            ] + given.filter { inherited.contains($0.name) }, environment: environment)
        settings.gatewayArguments = nil
        return settings
    }

    private static func peer(
        _ endpoint: KeyPath<RouterSchema, Setting<String>>, _ router: RouterSettings
    ) throws(SettingsError) -> String {
        if let peer = Endpoint(router[dynamicMember: endpoint], for: .bind)?.localPeer { return peer }
        throw router.mistake(
            endpoint, ", which leaves the port to chance; 'up' needs a fixed one to tell others")
    }
}
