import Logging

/// The settings that several programs share.
enum SharedSettings {
    static let config = Setting.file("config", "a JSON file of settings, with the names of the command line").optional
    static let keys = Setting.folder(
        "keys", "a folder of CURVE keys made by 'bifrons keygen'; without it, nothing is encrypted"
    ).optional
    static let imageBytes = Setting.bytes(
        "image-bytes", default: "20000000", in: 1...1_000_000_000, "the largest image accepted, in bytes")
    static let logLevel = Setting.level("log-level", default: .info, "the lowest level of messages that are logged")
    static let drainTime = Setting.time(
        "drain-time", default: "10s", in: .zero ... .seconds(3600),
        "how long jobs in flight may take to finish after SIGTERM")
    static let insecure = Setting.flag(
        "insecure", "allow listening without encryption where other machines can connect")
    static let clientRouters = Setting.endpoint(
        "router", default: "tcp://127.0.0.1:5555", .connect, "a router's client endpoint; may be given several times"
    ).list.individual
}
