import ProcessSupport

/// The settings of `bifrons up`: the numbers of workers, and all settings of its child processes.
package struct ClusterSchema: SettingsSchema {
    package let workers = Setting.count(
        "workers", in: 1...256,
        "the number of workers that 'up' starts for each model (default: as many as keep all usable cores busy)"
    ).optional
    package let locatorWorkers = Setting.count(
        "locator-workers", default: 1, in: 1...256, "the number of workers that 'up' starts for the locator")

    /// The schemas of the programs that `bifrons up` starts.
    package static var children: [any SettingsSchema.Type] {
        [RouterSchema.self, WorkerSchema.self, GatewaySchema.self]
    }

    package init() {}
}

/// The command line of `bifrons up`.
package typealias ClusterOptions = SettingOptions<ClusterSchema>

/// The settings of `bifrons up`, validated.
package struct ClusterSettings: Sendable {
    /// The number of workers of each model, at least 1.
    package let workersPerModel: Int
    /// The number of workers of the locator, at least 1.
    package let locatorWorkers: Int
    /// The number of threads of each worker of the locator, and of each that finds evidence.
    package let decodeThreads: Int
    /// The folder of banks of known images; nil if none is set.
    package let banks: String?
    /// The router's settings, some of which the supervisor itself needs.
    package let router: RouterSettings
    /// The endpoint to which clients on this machine connect.
    package let clientPeer: String
    /// The endpoint to which the cluster's workers connect.
    package let workerPeer: String
    /// The arguments to pass to the router. The children read the environment and the file of `--config` themselves.
    package let routerArguments: [String]
    /// The arguments to pass to every worker, besides its model or kind of evidence and the router's endpoint.
    package let workerArguments: [String]
    /// The arguments to pass to the gateway, besides the router's endpoint; nil if there is no gateway.
    package private(set) var gatewayArguments: [String]?

    /// Reads the settings from the command line, the environment and the file of `--config`, in that order of
    /// precedence.
    ///
    /// It also validates the settings of the children, so that a mistake is reported once, before any of them starts.
    ///
    /// - Parameter given: The options on the command line.
    /// - Throws: An error that names the wrong setting, of `up` or of a child.
    package init(
        _ given: [GivenOption] = [], environment: [String: String] = Environment.ofProcess
    ) throws(SettingsError) {
        // 'up' passes these to each child later; here they only need to be valid.
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
        banks = workers.banks
        // With a single worker of each model, cores would be idle while the slowest model's worker is busy. The system
        // decides which worker runs on which core.
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

    /// Returns the settings of a cluster that a single command starts for itself.
    ///
    /// Its endpoints are in `folder`, it has no gateway, and it logs only errors. It takes the command's `--keys` and
    /// `--config`; all other settings come from the environment and that file.
    ///
    /// - Parameter given: The options on the command line of the command.
    /// - Throws: An error that names the wrong setting.
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
