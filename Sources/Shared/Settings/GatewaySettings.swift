package import Logging

/// The settings of `bifrons-gateway`. Each one's text says what it means; where a value may be nil, nobody has set it.
package struct GatewaySchema: SettingsSchema {
    package let routers = SharedSettings.clientRouters
    package let host = Setting.text(
        "http-host", default: "127.0.0.1", "the address or name of this machine at which the gateway listens")
    package let port = Setting.count(
        "http-port", default: 5000, in: 0...65_535, "the port at which the gateway listens; 0 for any free one")
    package let timeout = Setting.time(
        "http-timeout", default: "20s", in: .milliseconds(100) ... .seconds(3600),
        "how long a request's header, and its body besides a second for each 10 kB, may take to come")
    package let connections = Setting.count(
        "http-connections", default: 4096, in: 1...1_000_000, "connections that are served; more wait to be accepted")
    package let bytes = Setting.bytes(
        "http-bytes", default: "256MiB", in: 1...(1 << 40), "bytes of bodies in the gateway before uploads get 429")
    package let clientRequests = Setting.count(
        "http-client-requests", default: 256, in: 1...1_000_000, "requests of one address in hand before it gets 429")
    package let tokens = Setting.file(
        "tokens", "a file of those who may use the HTTP API, with hashes of their tokens; everybody may otherwise"
    ).optional
    package let corsOrigins = Setting.text(
        "cors-origin", "an origin whose pages may use the HTTP API, or *; may be given several times"
    ).list.otherwise { _ in [] }
    package let insecure = SharedSettings.insecure
    package let config = SharedSettings.config
    package let keys = SharedSettings.keys
    package let imageBytes = SharedSettings.imageBytes
    package let logLevel = SharedSettings.logLevel
    package let drainTime = SharedSettings.drainTime

    package init() {}

    /// Refuses to let everybody use the service where others can connect, and bounds that leave no room for one image.
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
