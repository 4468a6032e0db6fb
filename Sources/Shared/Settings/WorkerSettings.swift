package import ArgumentParser
package import Logging

/// What every worker of a cluster may be told alike.
package struct WorkerTuningOptions: ParsableArguments {
    @Option(Keys.threads) var threads: String?
    @Option(Keys.decodeThreads) var decodeThreads: String?
    @Option(Keys.maxBatch) var maxBatch: String?
    @Option(Keys.precision) var precision: String?
    @Option(Keys.cacheFolder) var cacheFolder: String?
    @Option(Keys.imagePixels) var imagePixels: String?
    @Option(Keys.imageScans) var imageScans: String?
    @Option(Keys.imageMemory) var imageMemory: String?
    @Option(Keys.imageTime) var imageTime: String?

    package init() {}

    /// What was given, to be read here or handed on to a child.
    package var given: [GivenOption] {
        [
            GivenOption(Keys.threads, threads), GivenOption(Keys.decodeThreads, decodeThreads),
            GivenOption(Keys.maxBatch, maxBatch), GivenOption(Keys.precision, precision),
            GivenOption(Keys.cacheFolder, cacheFolder), GivenOption(Keys.imagePixels, imagePixels),
            GivenOption(Keys.imageScans, imageScans), GivenOption(Keys.imageMemory, imageMemory),
            GivenOption(Keys.imageTime, imageTime),
        ]
    }
}

/// The command line of `bifrons-worker`.
package struct WorkerOptions: ParsableArguments {
    @Option(Keys.workerRouter) var router: [String] = []
    @Option(Keys.resolveInterval) var resolveInterval: String?
    @Option(Keys.model) var model: String?
    @Option(Keys.workerName) var name: String?
    @OptionGroup var tuning: WorkerTuningOptions
    @OptionGroup package var service: ServiceOptions

    package init() {}

    /// What was given.
    package var given: [GivenOption] {
        [
            GivenOption(Keys.workerRouter, router), GivenOption(Keys.resolveInterval, resolveInterval),
            GivenOption(Keys.model, model), GivenOption(Keys.workerName, name),
        ] + tuning.given + service.given
    }
}

/// The settings of `bifrons-worker`, validated; `Keys` says what each means.
package struct WorkerSettings: Equatable, Sendable {
    /// `tcp://HOST:PORT`, `ipc://PATH`, or `dns://NAME:PORT` for every address that the name has.
    package var routers: [String]
    /// Between two looks at the addresses of names.
    package var resolveInterval: Duration
    /// The folder of a network or of the locator.
    package var model: String
    /// `f32`, `bf16` or `int8`; nil: the manifest's.
    package var precision: String?
    /// Nil: the worker makes one from its model's name.
    package var name: String?
    /// Of a network: threads that compute one batch.
    package var threads: Int
    /// Of a locator: pictures that are decoded at once.
    package var decodeThreads: Int
    /// Of a network: crops of one batch at most.
    package var maxBatch: Int
    /// Nil: there is no home folder to keep a cache in.
    package var cacheFolder: String?
    /// The folder of keys; nil: no encryption.
    package var keys: String?
    package var drainTime: Duration
    package var imageBytes: Int
    package var imagePixels: Int
    package var imageScans: Int
    /// Bytes.
    package var imageMemory: Int
    package var imageTime: Duration
    package var logLevel: Logger.Level

    /// Reads the command line, then the environment, then the file of `--config`.
    package init(
        _ options: WorkerOptions = WorkerOptions.none,
        environment: [String: String] = Environment.ofProcess
    ) throws(SettingsError) {
        try self.init(SettingsLayers(options.given, environment: environment), environment: environment)
    }

    init(_ layers: SettingsLayers, environment: [String: String]) throws(SettingsError) {
        routers = try layers.list(Keys.workerRouter)
        resolveInterval = try layers.read(Keys.resolveInterval)
        model = try layers.read(Keys.model)
        precision = try layers.optional(Keys.precision)
        name = try layers.optional(Keys.workerName)
        threads = try layers.read(Keys.threads)
        decodeThreads = try layers.optional(Keys.decodeThreads) ?? Processors.usable
        maxBatch = try layers.read(Keys.maxBatch)
        cacheFolder = try layers.optional(Keys.cacheFolder) ?? Self.defaultCacheFolder(environment)
        keys = try layers.optional(Keys.keys)
        drainTime = try layers.read(Keys.drainTime)
        imageBytes = try layers.read(Keys.imageBytes)
        imagePixels = try layers.read(Keys.imagePixels)
        imageScans = try layers.read(Keys.imageScans)
        imageMemory = try layers.read(Keys.imageMemory)
        imageTime = try layers.read(Keys.imageTime)
        logLevel = try layers.read(Keys.logLevel)
    }

    /// By the XDG Base Directory Specification, which has relative paths ignored.
    private static func defaultCacheFolder(_ environment: [String: String]) -> String? {
        if let folder = environment["XDG_CACHE_HOME"], folder.hasPrefix("/") { return folder + "/bifrons" }
        if let home = environment["HOME"], home.hasPrefix("/") { return home + "/.cache/bifrons" }
        return nil
    }
}
