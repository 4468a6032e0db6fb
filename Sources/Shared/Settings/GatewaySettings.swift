package import Logging

/// The settings of `bifrons-gateway`. Each declaration contains the text that explains it. An optional value is nil if
/// nobody has set it.
package struct GatewaySchema: SettingsSchema {
    package let routers = SharedSettings.clientRouters
    package let host = Setting.text(
        "http-host", default: "127.0.0.1", "the address or host name at which the gateway listens")
    package let port = Setting.count(
        "http-port", default: 5000, in: 0...65_535, "the port at which the gateway listens; 0 for any free port")
    package let timeout = Setting.time(
        "http-timeout", default: "20s", in: .milliseconds(100) ... .seconds(3600),
        "how long a request's header and its body may each take to arrive; a body gets 1 s more for each 10 kB")
    package let connections = Setting.count(
        "http-connections", default: 4096, in: 1...1_000_000,
        "the most connections served at a time; further ones wait to be accepted")
    package let bytes = Setting.bytes(
        "http-bytes", default: "256MiB", in: 1...(1 << 40),
        "the most bytes of bodies in the gateway; further uploads get 429")
    package let clientRequests = Setting.count(
        "http-client-requests", default: 256, in: 1...1_000_000,
        "the most unanswered requests of one address; further requests get 429")
    package let tokens = Setting.file(
        "tokens", "a file that lists who may use the HTTP API, with hashes of their tokens; without it, everybody may"
    ).optional
    package let corsOrigins = Setting.text(
        "cors-origin", "an origin whose pages may use the HTTP API, or * for all; may be given several times"
    ).list.otherwise { _ in [] }
    package let insecure = SharedSettings.insecure
    package let config = SharedSettings.config
    package let keys = SharedSettings.keys
    package let imageBytes = SharedSettings.imageBytes
    package let logLevel = SharedSettings.logLevel
    package let drainTime = SharedSettings.drainTime

    package init() {}

    /// Throws if everybody on other machines could use the service without a token and `insecure` is not set, or if a
    /// limit leaves no room for one image.
    package static func check(_ values: GatewaySettings) throws(SettingsError) {
        let host = values.host.contains(":") ? "[\(values.host)]" : values.host
        if !values.insecure, values.tokens == nil, Endpoint("tcp://\(host):1", for: .bind)?.isLocal != true {
            throw values.mistake(
                \.host,
                ", where everybody who can connect may use the service; listen on 127.0.0.1, give --tokens, or allow it "
                    + "with --insecure")
        }
        try values.requireRoom(\.bytes, forAnImageOf: values.imageBytes)
    }
}

/// The command line of `bifrons-gateway`.
package typealias GatewayOptions = SettingOptions<GatewaySchema>
/// The settings of `bifrons-gateway`, validated.
package typealias GatewaySettings = SettingValues<GatewaySchema>
