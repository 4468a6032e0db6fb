import Logging

/// The settings that several programs have.
enum SharedSettings {
    static let config = Setting.file("config", "a JSON file of settings, named as on the command line").optional
    static let keys = Setting.folder(
        "keys", "a folder of CURVE keys that 'bifrons keygen' made; without one nothing is encrypted"
    ).optional
    static let imageBytes = Setting.bytes(
        "image-bytes", default: "20000000", in: 1...1_000_000_000, "bytes of the largest image that is taken")
    static let logLevel = Setting.level("log-level", default: .info, "the least important message to log")
    static let drainTime = Setting.time(
        "drain-time", default: "10s", in: .zero ... .seconds(3600), "how long jobs in flight may take after SIGTERM")
    static let insecure = Setting.flag(
        "insecure", "allow to listen without encryption where other machines can connect")
    static let clientRouters = Setting.endpoint(
        "router", default: "tcp://127.0.0.1:5555", .connect, "a router's client endpoint; may be given several times"
    ).list.individual
}
