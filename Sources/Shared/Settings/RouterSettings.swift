package import ArgumentParser
package import Logging

/// The command line of `bifrons-router`.
package struct RouterOptions: ParsableArguments {
    @Option(Keys.clientEndpoint) var clientEndpoint: String?
    @Option(Keys.workerEndpoint) var workerEndpoint: String?
    @Option(Keys.modelsFolder) var modelsFolder: String?
    @Option(Keys.maxJobs) var maxJobs: String?
    @Option(Keys.maxBytes) var maxBytes: String?
    @Option(Keys.maxClientJobs) var maxClientJobs: String?
    @Option(Keys.maxClientBytes) var maxClientBytes: String?
    @Option(Keys.maxCropBytes) var maxCropBytes: String?
    @Option(Keys.maxConnections) var maxConnections: String?
    @Option(Keys.heartbeat) var heartbeat: String?
    @Option(Keys.hangTimeout) var hangTimeout: String?
    @Option(Keys.workerWait) var workerWait: String?
    @Option(Keys.rejoinWait) var rejoinWait: String?
    @Option(Keys.idempotencyRetention) var idempotencyRetention: String?
    @Option(Keys.journal) var journal: String?
    @Option(Keys.journalBytes) var journalBytes: String?
    @Option(Keys.resultRetention) var resultRetention: String?
    @Flag(inversion: .prefixedNo, help: Keys.insecure.description.help) var insecure: Bool?
    @OptionGroup package var service: ServiceOptions

    package init() {}

    /// What was given, to be read here or handed on to a child.
    package var given: [GivenOption] {
        [
            GivenOption(Keys.clientEndpoint, clientEndpoint), GivenOption(Keys.workerEndpoint, workerEndpoint),
            GivenOption(Keys.modelsFolder, modelsFolder), GivenOption(Keys.maxJobs, maxJobs),
            GivenOption(Keys.maxBytes, maxBytes), GivenOption(Keys.maxClientJobs, maxClientJobs),
            GivenOption(Keys.maxClientBytes, maxClientBytes), GivenOption(Keys.maxCropBytes, maxCropBytes),
            GivenOption(Keys.maxConnections, maxConnections), GivenOption(Keys.heartbeat, heartbeat),
            GivenOption(Keys.hangTimeout, hangTimeout), GivenOption(Keys.workerWait, workerWait),
            GivenOption(Keys.rejoinWait, rejoinWait),
            GivenOption(Keys.idempotencyRetention, idempotencyRetention),
            GivenOption(Keys.journal, journal), GivenOption(Keys.journalBytes, journalBytes),
            GivenOption(Keys.resultRetention, resultRetention), GivenOption(Keys.insecure, insecure),
        ] + service.given
    }
}

/// The settings of `bifrons-router`, validated; `Keys` says what each means.
package struct RouterSettings: Equatable, Sendable {
    package var clientEndpoint: String
    package var workerEndpoint: String
    package var modelsFolder: String
    package var maxJobs: Int
    package var maxBytes: Int
    package var maxClientJobs: Int
    package var maxClientBytes: Int
    package var maxCropBytes: Int
    package var maxConnections: Int
    package var imageBytes: Int
    package var heartbeat: Duration
    package var hangTimeout: Duration
    /// Zero: a job does not wait for a model that has no worker.
    package var workerWait: Duration
    /// How long a job whose worker was lost alive waits for one to come back.
    package var rejoinWait: Duration
    package var idempotencyRetention: Duration
    /// Nil: there is no journal.
    package var journal: String?
    package var journalBytes: Int
    package var resultRetention: Duration
    package var drainTime: Duration
    package var insecure: Bool
    /// The folder of keys; nil: no encryption, and everybody may do everything.
    package var keys: String?
    package var logLevel: Logger.Level

    /// Reads the command line, then the environment, then the file of `--config`.
    package init(
        _ options: RouterOptions = RouterOptions.none,
        environment: [String: String] = Environment.ofProcess
    ) throws(SettingsError) {
        try self.init(SettingsLayers(options.given, environment: environment))
    }

    init(_ layers: SettingsLayers) throws(SettingsError) {
        clientEndpoint = try layers.read(Keys.clientEndpoint)
        workerEndpoint = try layers.read(Keys.workerEndpoint)
        modelsFolder = try layers.read(Keys.modelsFolder)
        maxJobs = try layers.read(Keys.maxJobs)
        maxBytes = try layers.read(Keys.maxBytes)
        maxClientJobs = try layers.read(Keys.maxClientJobs)
        maxClientBytes = try layers.read(Keys.maxClientBytes)
        maxCropBytes = try layers.read(Keys.maxCropBytes)
        maxConnections = try layers.read(Keys.maxConnections)
        imageBytes = try layers.read(Keys.imageBytes)
        heartbeat = try layers.read(Keys.heartbeat)
        hangTimeout = try layers.read(Keys.hangTimeout)
        workerWait = try layers.read(Keys.workerWait)
        rejoinWait = try layers.read(Keys.rejoinWait)
        idempotencyRetention = try layers.read(Keys.idempotencyRetention)
        journal = try layers.optional(Keys.journal)
        journalBytes = try layers.read(Keys.journalBytes)
        resultRetention = try layers.read(Keys.resultRetention)
        drainTime = try layers.read(Keys.drainTime)
        insecure = try layers.read(Keys.insecure)
        keys = try layers.optional(Keys.keys)
        logLevel = try layers.read(Keys.logLevel)

        if !insecure, keys == nil {
            for key in [Keys.clientEndpoint, Keys.workerEndpoint] {
                let endpoint = try layers.read(key)
                guard Endpoint(endpoint, for: .bind)?.isLocal != true else { continue }
                throw SettingsError(
                    setting: key.name,
                    "\(layers.source(of: key)) is \(endpoint), where other machines can connect without encryption; "
                        + "listen on 127.0.0.1 or on an ipc:// path, give --keys, or allow it with --insecure")
            }
        }
        if clientEndpoint == workerEndpoint, !clientEndpoint.hasSuffix(":*") {
            throw SettingsError(
                setting: Keys.workerEndpoint.name,
                "\(layers.source(of: Keys.workerEndpoint)) is \(workerEndpoint), the client-endpoint too; choose two")
        }
        for (key, bytes) in [(Keys.maxBytes, maxBytes), (Keys.maxClientBytes, maxClientBytes)] where bytes < imageBytes
        {
            throw SettingsError(
                setting: key.name,
                "\(layers.source(of: key)) is \(bytes) bytes, less than one image of image-bytes "
                    + "(\(imageBytes)); raise the one or lower the other")
        }
    }
}
