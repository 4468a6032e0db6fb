package import Logging

/// The settings of `bifrons-router`. Each declaration contains the text that explains it. An optional value is nil if
/// nobody has set it.
package struct RouterSchema: SettingsSchema {
    package let clientEndpoint = Setting.endpoint(
        "client-endpoint", default: "tcp://127.0.0.1:5555", .bind, "where the router listens for clients")
    package let workerEndpoint = Setting.endpoint(
        "worker-endpoint", default: "tcp://127.0.0.1:5556", .bind, "where the router listens for workers")
    package let modelsFolder = Setting.folder(
        "models-folder", default: "Models", "the folder that holds the models and the ensemble file")
    package let ensemble = Setting.file(
        "ensemble", default: "ensemble.json",
        "the file in models-folder, or elsewhere with an absolute path, that names the models and says how to merge them"
    )
    package let maxJobs = Setting.count(
        "max-jobs", default: 4096, in: 1...1_000_000, "the most unanswered jobs in the router; further jobs get 429")
    package let maxBytes = Setting.bytes(
        "max-bytes", default: "512MiB", in: 1...(1 << 40), "the most bytes of jobs in the router; further jobs get 429")
    package let maxClientJobs = Setting.count(
        "max-client-jobs", default: 2048, in: 1...1_000_000,
        "the most unanswered jobs of one client (a key, a token or, without keys, a connection); further jobs get 429")
    package let maxClientBytes = Setting.bytes(
        "max-client-bytes", default: "256MiB", in: 1...(1 << 40),
        "the most bytes of one client's jobs; further jobs get 429")
    package let maxCropBytes = Setting.bytes(
        "max-crop-bytes", default: "256MiB", in: (1 << 20)...(1 << 40),
        "the most bytes of crops in the router; beyond that, images wait before they go to a locator")
    package let maxConnections = Setting.count(
        "max-connections", default: 1000, in: 1...1_000_000,
        "the most connections of clients, and as many of workers; further connections are closed")
    package let heartbeat = Setting.time(
        "heartbeat", default: "500ms", in: .milliseconds(10) ... .seconds(60),
        "the interval between a worker's heartbeats; a worker that misses three is lost")
    package let hangTimeout = Setting.time(
        "hang-timeout", default: "10s", in: .milliseconds(100) ... .seconds(3600),
        "how long a worker with jobs in flight may make no progress before it counts as lost")
    package let workerWait = Setting.time(
        "worker-wait", default: "0s", in: .zero ... .seconds(600),
        "how long a job waits, within its budget, for a worker of a model that has none; then 503 or 206"
    )
    package let rejoinWait = Setting.time(
        "rejoin-wait", default: "3s", in: .zero ... .seconds(600),
        "how long a job whose worker fell silent or hung waits, within its budget, for a worker of the model; then 503")
    package let evidenceWait = Setting.time(
        "evidence-wait", default: "100ms", in: .zero ... .seconds(600),
        "how long a verdict waits, within the job's budget, for evidence that is late; 0s: not at all")
    package let idempotencyRetention = Setting.time(
        "idempotency-retention", default: "10m", in: .zero ... .seconds(86_400),
        "how long a result is kept for requests with the same idempotency_key")
    package let journal = Setting.file(
        "journal", "the file in which durable jobs are kept, or its folder; without it, there are no durable jobs"
    ).optional
    package let journalBytes = Setting.bytes(
        "journal-bytes", default: "4GiB", in: (1 << 20)...(1 << 50),
        "the most bytes of durable jobs and results on disk; further durable jobs get 503")
    package let resultRetention = Setting.time(
        "result-retention", default: "24h", in: .seconds(1) ... .seconds(31_536_000),
        "how long a durable job's result is kept, for fetch and for requests with its idempotency_key")
    package let decisionRetention = Setting.time(
        "decision-retention", default: "4320h", in: .seconds(1) ... .seconds(315_360_000),
        "how long a decision is kept in the ledger, which a router with a journal has")
    package let personalRetention = Setting.time(
        "personal-retention", default: "4320h", in: .seconds(1) ... .seconds(315_360_000),
        "how long the ledger keeps what points to a person or to an image; at most as long as the decision")
    package let reviewBytes = Setting.bytes(
        "review-bytes", default: "0", in: 0...(1 << 50),
        "the most bytes of images that are kept on disk for reviewers until they have answered; 0: none")
    package let insecure = SharedSettings.insecure
    package let config = SharedSettings.config
    package let keys = SharedSettings.keys
    package let imageBytes = SharedSettings.imageBytes
    package let logLevel = SharedSettings.logLevel
    package let drainTime = SharedSettings.drainTime

    package init() {}

    /// Throws if other machines could connect without encryption and `insecure` is not set, if both sockets would have
    /// the same endpoint, or if a limit leaves no room for one image.
    package static func check(_ values: RouterSettings) throws(SettingsError) {
        if !values.insecure, values.keys == nil {
            for endpoint in [\RouterSchema.clientEndpoint, \.workerEndpoint]
            where Endpoint(values[dynamicMember: endpoint], for: .bind)?.isLocal != true {
                throw values.mistake(
                    endpoint,
                    ", where other machines can connect without encryption; listen on 127.0.0.1 or on an ipc:// path, "
                        + "give --keys, or allow it with --insecure")
            }
        }
        if values.clientEndpoint == values.workerEndpoint, !values.clientEndpoint.hasSuffix(":*") {
            throw values.mistake(\.workerEndpoint, ", the client-endpoint too; choose two")
        }
        try values.requireRoom(\.maxBytes, forAnImageOf: values.imageBytes)
        try values.requireRoom(\.maxClientBytes, forAnImageOf: values.imageBytes)
    }
}

/// The command line of `bifrons-router`.
package typealias RouterOptions = SettingOptions<RouterSchema>
/// The settings of `bifrons-router`, validated.
package typealias RouterSettings = SettingValues<RouterSchema>

extension RouterSettings {
    /// The path of the ensemble file.
    package var ensemblePath: String {
        self.ensemble.hasPrefix("/") ? self.ensemble : "\(self.modelsFolder)/\(self.ensemble)"
    }
}
