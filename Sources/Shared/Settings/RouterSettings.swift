package import Logging

/// The settings of `bifrons-router`. Each one's text says what it means; where a value may be nil, nobody has set it.
package struct RouterSchema: SettingsSchema {
    package let clientEndpoint = Setting.endpoint(
        "client-endpoint", default: "tcp://127.0.0.1:5555", .bind, "where the router listens for clients")
    package let workerEndpoint = Setting.endpoint(
        "worker-endpoint", default: "tcp://127.0.0.1:5556", .bind, "where the router listens for workers")
    package let modelsFolder = Setting.folder(
        "models-folder", default: "Models", "the folder that holds ensemble.json and the models")
    package let maxJobs = Setting.count(
        "max-jobs", default: 4096, in: 1...1_000_000, "jobs without an answer before new ones get 429")
    package let maxBytes = Setting.bytes(
        "max-bytes", default: "512MiB", in: 1...(1 << 40), "bytes of jobs in the router before new jobs get 429")
    package let maxClientJobs = Setting.count(
        "max-client-jobs", default: 2048, in: 1...1_000_000,
        "jobs of one client (a key, a token, or without keys a connection) without an answer before it gets 429")
    package let maxClientBytes = Setting.bytes(
        "max-client-bytes", default: "256MiB", in: 1...(1 << 40), "bytes of jobs of one client before it gets 429")
    package let maxCropBytes = Setting.bytes(
        "max-crop-bytes", default: "256MiB", in: (1 << 20)...(1 << 40),
        "bytes of crops in the router before it hands no more images to locators")
    package let maxConnections = Setting.count(
        "max-connections", default: 1000, in: 1...1_000_000,
        "connections of clients, and as many of workers, before new ones are ended")
    package let heartbeat = Setting.time(
        "heartbeat", default: "500ms", in: .milliseconds(10) ... .seconds(60),
        "between two signs of life of a worker; after three missed ones it is lost")
    package let hangTimeout = Setting.time(
        "hang-timeout", default: "10s", in: .milliseconds(100) ... .seconds(3600),
        "without progress for so long, a worker with jobs in hand is given up")
    package let workerWait = Setting.time(
        "worker-wait", default: "0s", in: .zero ... .seconds(600),
        "how long a job waits within its budget for a worker of a model that has none; then, and at once without, 503 or 206"
    )
    package let rejoinWait = Setting.time(
        "rejoin-wait", default: "3s", in: .zero ... .seconds(600),
        "how long a job whose worker fell silent or hangs waits within its budget for a worker of the model; then 503")
    package let idempotencyRetention = Setting.time(
        "idempotency-retention", default: "10m", in: .zero ... .seconds(86_400),
        "how long a result is kept for requests with the same idempotency_key")
    package let journal = Setting.file(
        "journal", "the file, or the folder for it, in which durable jobs are kept; there are none otherwise"
    ).optional
    package let journalBytes = Setting.bytes(
        "journal-bytes", default: "4GiB", in: (1 << 20)...(1 << 50),
        "bytes of durable jobs and results on disk before durable jobs get 503")
    package let resultRetention = Setting.time(
        "result-retention", default: "24h", in: .seconds(1) ... .seconds(31_536_000),
        "how long the result of a durable job is kept, for fetch and for its idempotency_key")
    package let insecure = SharedSettings.insecure
    package let config = SharedSettings.config
    package let keys = SharedSettings.keys
    package let imageBytes = SharedSettings.imageBytes
    package let logLevel = SharedSettings.logLevel
    package let drainTime = SharedSettings.drainTime

    package init() {}

    /// Refuses to listen where others can connect without encryption, two sockets at one endpoint, and bounds that leave no
    /// room for one image.
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
