import Logging

/// Every setting of every program: name, default, range and meaning stand here and nowhere else.
enum Keys {
    // All programs
    static let config = Setting.file("config", "a JSON file of settings, named as on the command line")
    static let keys = Setting.folder(
        "keys", "a folder of CURVE keys that 'bifrons keygen' made; without one nothing is encrypted")

    // Services
    static let logLevel = Setting.level("log-level", default: .info, "the least important message to log")
    static let drainTime = Setting.time(
        "drain-time", default: "10s", in: .zero ... .seconds(3600), "how long jobs in flight may take after SIGTERM")
    static let imageBytes = Setting.bytes(
        "image-bytes", default: "20000000", in: 1...1_000_000_000, "bytes of the largest image that is taken")

    // Router
    static let clientEndpoint = Setting.endpoint(
        "client-endpoint", default: "tcp://127.0.0.1:5555", .bind, "where the router listens for clients")
    static let workerEndpoint = Setting.endpoint(
        "worker-endpoint", default: "tcp://127.0.0.1:5556", .bind, "where the router listens for workers")
    static let modelsFolder = Setting.folder(
        "models-folder", default: "Models", "the folder that holds ensemble.json and the models")
    static let maxJobs = Setting.count(
        "max-jobs", default: 4096, in: 1...1_000_000, "jobs without an answer before new ones get 429")
    static let maxBytes = Setting.bytes(
        "max-bytes", default: "512MiB", in: 1...(1 << 40), "bytes of jobs in the router before new jobs get 429")
    static let maxClientJobs = Setting.count(
        "max-client-jobs", default: 2048, in: 1...1_000_000,
        "jobs of one client (a key, a token, or without keys a connection) without an answer before it gets 429")
    static let maxClientBytes = Setting.bytes(
        "max-client-bytes", default: "256MiB", in: 1...(1 << 40), "bytes of jobs of one client before it gets 429")
    static let maxCropBytes = Setting.bytes(
        "max-crop-bytes", default: "256MiB", in: (1 << 20)...(1 << 40),
        "bytes of crops in the router before it hands no more pictures to locators")
    static let maxConnections = Setting.count(
        "max-connections", default: 1000, in: 1...1_000_000,
        "connections of clients, and as many of workers, before new ones are ended")
    static let heartbeat = Setting.time(
        "heartbeat", default: "500ms", in: .milliseconds(10) ... .seconds(60),
        "between two signs of life of a worker; after three missed ones it is lost")
    static let hangTimeout = Setting.time(
        "hang-timeout", default: "10s", in: .milliseconds(100) ... .seconds(3600),
        "without progress for so long, a worker with jobs in hand is given up")
    static let workerWait = Setting.time(
        "worker-wait", default: "0s", in: .zero ... .seconds(600),
        "how long a job waits within its budget for a worker of a model that has none; then, and at once without, 503 or 206"
    )
    static let rejoinWait = Setting.time(
        "rejoin-wait", default: "3s", in: .zero ... .seconds(600),
        "how long a job whose worker fell silent or hangs waits within its budget for a worker of the model; then 503")
    static let idempotencyRetention = Setting.time(
        "idempotency-retention", default: "10m", in: .zero ... .seconds(86_400),
        "how long a result is kept for requests with the same idempotency_key")
    static let journal = Setting.file(
        "journal", "the file, or the folder for it, in which durable jobs are kept; there are none otherwise")
    static let journalBytes = Setting.bytes(
        "journal-bytes", default: "4GiB", in: (1 << 20)...(1 << 50),
        "bytes of durable jobs and results on disk before durable jobs get 503")
    static let resultRetention = Setting.time(
        "result-retention", default: "24h", in: .seconds(1) ... .seconds(31_536_000),
        "how long the result of a durable job is kept, for fetch and for its idempotency_key")
    static let insecure = Setting.flag(
        "insecure", "allow to listen without encryption where other machines can connect")

    // Worker
    static let workerRouter = Setting.endpoint(
        "router", default: "tcp://127.0.0.1:5556", .follow,
        "a router's worker endpoint, or dns://NAME:PORT for every address of a name; may be given several times")
    static let resolveInterval = Setting.time(
        "resolve-interval", default: "5s", in: .milliseconds(100) ... .seconds(3600),
        "between two looks at the addresses of dns:// names")
    static let model = Setting.folder(
        "model", "the folder of the model that the worker serves, a locator's or a network's")
    static let precision = Setting.choice(
        "precision", of: ["f32", "bf16", "int8"],
        "the number format that the model is computed in: what its manifest says otherwise")
    static let workerName = Setting.name("name", "the worker's name in results; made from the model's otherwise")
    static let threads = Setting.count(
        "threads", default: 1, in: 1...256, "threads of a network that compute one batch")
    static let decodeThreads = Setting.count(
        "decode-threads", default: nil, in: 1...256,
        "threads of a locator, of which each decodes an image: as many as the cores that it may use otherwise")
    static let maxBatch = Setting.count("max-batch", default: 8, in: 1...64, "most faces that are scored together")
    static let cacheFolder = Setting.folder(
        "cache-folder", "where compiled models are kept: $XDG_CACHE_HOME/bifrons or ~/.cache/bifrons otherwise")
    static let imagePixels = Setting.count(
        "image-pixels", default: 50_000_000, in: 1...1_000_000_000, "pixels of the largest image that is decoded")
    static let imageScans = Setting.count(
        "image-scans", default: 100, in: 1...10_000, "scans of a progressive JPEG that are decoded")
    static let imageMemory = Setting.bytes(
        "image-memory", default: "512MiB", in: (1 << 20)...(1 << 40), "memory that decoding one image may take")
    static let imageTime = Setting.time(
        "image-time", default: "5s", in: .milliseconds(1) ... .seconds(600), "time that decoding one image may take")

    // Gateway
    static let httpHost = Setting.text(
        "http-host", default: "127.0.0.1", "the address or name of this machine at which the gateway listens")
    static let httpPort = Setting.count(
        "http-port", default: 5000, in: 0...65_535, "the port at which the gateway listens; 0 for any free one")
    static let httpTimeout = Setting.time(
        "http-timeout", default: "20s", in: .milliseconds(100) ... .seconds(3600),
        "how long a request's header, and its body besides a second for each 10 kB, may take to come")
    static let httpConnections = Setting.count(
        "http-connections", default: 4096, in: 1...1_000_000, "connections that are served; more wait to be accepted")
    static let httpBytes = Setting.bytes(
        "http-bytes", default: "256MiB", in: 1...(1 << 40), "bytes of bodies in the gateway before uploads get 429")
    static let httpClientRequests = Setting.count(
        "http-client-requests", default: 256, in: 1...1_000_000, "requests of one address in hand before it gets 429")
    static let tokens = Setting.file(
        "tokens", "a file of those who may use the HTTP API, with hashes of their tokens; everybody may otherwise")
    static let corsOrigin = Setting.text(
        "cors-origin", "an origin whose pages may use the HTTP API, or *; may be given several times")

    // Command line
    static let clientRouter = Setting.endpoint(
        "router", default: "tcp://127.0.0.1:5555", .connect, "a router's client endpoint; may be given several times")
    static let budget = Setting.count(
        "budget-ms", default: 5000, in: 1...600_000, "milliseconds that a job may take in the service")
    static let priority = Setting.count("priority", default: 4, in: 0...9, "9 is first, 0 last")
    static let policy = Setting.name("policy", default: "default", "the policy that decides on the action")
    static let models = Setting.name("models", "models to ask, separated by commas; all otherwise")
    static let require = Setting.choice(
        "require", default: "any", of: ["any", "all"], "whether one model's score is enough")
    static let workers = Setting.count(
        "workers", default: nil, in: 1...256,
        "workers that 'up' starts for each model: as many as keep all cores that it may use at work otherwise")
    static let locatorWorkers = Setting.count(
        "locator-workers", default: 1, in: 1...256, "workers that 'up' starts for the locator")
}

/// The settings of each program, for `--help`, the README and tests.
package enum SettingsTable {
    /// Of every service.
    package static let service = [
        Keys.config.description, Keys.keys.description, Keys.logLevel.description, Keys.drainTime.description,
        Keys.imageBytes.description,
    ]
    /// Of `bifrons-router`, besides those of ``service``.
    package static let router = [
        Keys.clientEndpoint.description, Keys.workerEndpoint.description, Keys.modelsFolder.description,
        Keys.maxJobs.description, Keys.maxBytes.description, Keys.maxClientJobs.description,
        Keys.maxClientBytes.description, Keys.maxCropBytes.description, Keys.maxConnections.description,
        Keys.heartbeat.description,
        Keys.hangTimeout.description, Keys.workerWait.description, Keys.rejoinWait.description,
        Keys.idempotencyRetention.description, Keys.journal.description, Keys.journalBytes.description,
        Keys.resultRetention.description, Keys.insecure.description,
    ]
    /// Of `bifrons-worker`, besides those of ``service``.
    package static let worker = [
        Keys.workerRouter.description, Keys.resolveInterval.description, Keys.model.description,
        Keys.workerName.description, Keys.threads.description, Keys.decodeThreads.description,
        Keys.maxBatch.description,
        Keys.precision.description, Keys.cacheFolder.description,
        Keys.imagePixels.description, Keys.imageScans.description, Keys.imageMemory.description,
        Keys.imageTime.description,
    ]
    /// Of `bifrons-gateway`, besides those of ``service``.
    package static let gateway = [
        Keys.clientRouter.description, Keys.httpHost.description, Keys.httpPort.description,
        Keys.httpTimeout.description, Keys.httpConnections.description, Keys.httpBytes.description,
        Keys.httpClientRequests.description, Keys.tokens.description, Keys.corsOrigin.description,
        Keys.insecure.description,
    ]
    /// Of `bifrons classify`, `status`, `models` and `bench`.
    package static let client = [
        Keys.config.description, Keys.keys.description, Keys.clientRouter.description, Keys.budget.description,
        Keys.imageBytes.description, Keys.priority.description,
        Keys.policy.description, Keys.models.description, Keys.require.description,
    ]
    /// Of `bifrons up`, besides the router's and the worker's own.
    package static let cluster = [Keys.workers.description, Keys.locatorWorkers.description]

    /// All of them; what several programs have stands several times.
    package static let all = service + router + worker + gateway + client + cluster

    /// The known name that is the fewest changed letters away, if that is at most two.
    static func closest(to name: String) -> String? {
        all.map { (distance($0.name, name), $0.name) }.filter { $0.0 <= 2 }.min { $0.0 < $1.0 }?.1
    }

    /// Levenshtein's distance in Unicode scalars, one row at a time (Wagner and Fischer 1974).
    static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right.unicodeScalars)
        var row = Array(0...right.count)
        for (index, scalar) in left.unicodeScalars.enumerated() {
            var diagonal = index
            row[0] = index + 1
            for column in right.indices {
                let substituted = diagonal + (scalar == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(substituted, diagonal + 1, row[column] + 1)
            }
        }
        return row[right.count]
    }
}
