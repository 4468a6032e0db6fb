package import Logging
import ProcessSupport

/// The settings of `bifrons-worker`. Each one's text says what it means; where a value may be nil, nobody has set it (and
/// for the cache's folder there is no home folder either).
package struct WorkerSchema: SettingsSchema {
    package let routers = Setting.endpoint(
        "router", default: "tcp://127.0.0.1:5556", .follow,
        "a router's worker endpoint, or dns://NAME:PORT for every address of a name; may be given several times"
    ).list.individual
    package let resolveInterval = Setting.time(
        "resolve-interval", default: "5s", in: .milliseconds(100) ... .seconds(3600),
        "between two looks at the addresses of dns:// names"
    ).individual
    package let model = Setting.folder(
        "model", "the folder of the model that the worker serves, a locator's or a network's"
    ).individual
    package let name = Setting.name("name", "the worker's name in results; made from the model's otherwise")
        .optional.individual
    package let threads = Setting.count(
        "threads", default: 1, in: 1...256, "threads of a network that compute one batch")
    package let decodeThreads = Setting.count(
        "decode-threads", in: 1...256,
        "threads of a locator, of which each decodes an image: as many as the cores that it may use otherwise"
    ).otherwise { _ in Processors.usable }
    package let maxBatch = Setting.count("max-batch", default: 8, in: 1...64, "most faces that are scored together")
    package let precision = Setting.choice(
        "precision", of: ["f32", "bf16", "int8"],
        "the number format that the model is computed in: what its manifest says otherwise"
    ).optional
    package let cacheFolder = Setting.folder(
        "cache-folder", "where compiled models are kept: $XDG_CACHE_HOME/bifrons or ~/.cache/bifrons otherwise"
    ).optional.otherwise(WorkerSchema.defaultCacheFolder)
    package let imagePixels = Setting.count(
        "image-pixels", default: 50_000_000, in: 1...1_000_000_000, "pixels of the largest image that is decoded")
    package let imageScans = Setting.count(
        "image-scans", default: 100, in: 1...10_000, "scans of a progressive JPEG that are decoded")
    package let imageMemory = Setting.bytes(
        "image-memory", default: "512MiB", in: (1 << 20)...(1 << 40), "memory that decoding one image may take")
    package let imageTime = Setting.time(
        "image-time", default: "5s", in: .milliseconds(1) ... .seconds(600), "time that decoding one image may take")
    package let config = SharedSettings.config
    package let keys = SharedSettings.keys
    package let imageBytes = SharedSettings.imageBytes
    package let logLevel = SharedSettings.logLevel
    package let drainTime = SharedSettings.drainTime

    package init() {}

    /// By the XDG Base Directory Specification, which has relative paths ignored.
    private static func defaultCacheFolder(_ environment: [String: String]) -> String? {
        if let folder = environment["XDG_CACHE_HOME"], folder.hasPrefix("/") { return folder + "/bifrons" }
        if let home = environment["HOME"], home.hasPrefix("/") { return home + "/.cache/bifrons" }
        return nil
    }
}

/// The command line of `bifrons-worker`.
package typealias WorkerOptions = SettingOptions<WorkerSchema>
/// The settings of `bifrons-worker`, validated.
package typealias WorkerSettings = SettingValues<WorkerSchema>
