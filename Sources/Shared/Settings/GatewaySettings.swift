package import ArgumentParser
package import Logging

/// What `bifrons up` may tell its gateway, too.
package struct GatewayHTTPOptions: ParsableArguments {
    @Option(Keys.httpHost) var httpHost: String?
    @Option(Keys.httpPort) var httpPort: String?
    @Option(Keys.httpTimeout) var httpTimeout: String?
    @Option(Keys.httpConnections) var httpConnections: String?
    @Option(Keys.httpBytes) var httpBytes: String?
    @Option(Keys.httpClientRequests) var httpClientRequests: String?
    @Option(Keys.tokens) var tokens: String?
    @Option(Keys.corsOrigin) var corsOrigin: [String] = []

    package init() {}

    /// What was given, to be read here or handed on to a child.
    package var given: [GivenOption] {
        [
            GivenOption(Keys.httpHost, httpHost), GivenOption(Keys.httpPort, httpPort),
            GivenOption(Keys.httpTimeout, httpTimeout), GivenOption(Keys.httpConnections, httpConnections),
            GivenOption(Keys.httpBytes, httpBytes), GivenOption(Keys.httpClientRequests, httpClientRequests),
            GivenOption(Keys.tokens, tokens), GivenOption(Keys.corsOrigin, corsOrigin),
        ]
    }
}

/// The command line of `bifrons-gateway`.
package struct GatewayOptions: ParsableArguments {
    @Option(Keys.clientRouter) var router: [String] = []
    @Flag(inversion: .prefixedNo, help: Keys.insecure.description.help) var insecure: Bool?
    @OptionGroup var http: GatewayHTTPOptions
    @OptionGroup package var service: ServiceOptions

    package init() {}

    /// What was given.
    package var given: [GivenOption] {
        [GivenOption(Keys.clientRouter, router), GivenOption(Keys.insecure, insecure)] + http.given + service.given
    }
}

/// The settings of `bifrons-gateway`, validated; `Keys` says what each means.
package struct GatewaySettings: Equatable, Sendable {
    package var routers: [String]
    package var host: String
    /// 0: any free one.
    package var port: Int
    package var timeout: Duration
    package var connections: Int
    /// Bytes of bodies in the gateway at a time.
    package var bytes: Int
    package var clientRequests: Int
    /// The file of tokens; nil: everybody may use the API.
    package var tokens: String?
    package var corsOrigins: [String]
    /// The folder of keys; nil: no encryption.
    package var keys: String?
    package var imageBytes: Int
    package var drainTime: Duration
    package var logLevel: Logger.Level

    /// Reads the command line, then the environment, then the file of `--config`.
    package init(
        _ options: GatewayOptions = GatewayOptions.none, environment: [String: String] = Environment.ofProcess
    ) throws(SettingsError) {
        try self.init(SettingsLayers(options.given, environment: environment))
    }

    init(_ layers: SettingsLayers) throws(SettingsError) {
        routers = try layers.list(Keys.clientRouter)
        host = try layers.read(Keys.httpHost)
        port = try layers.read(Keys.httpPort)
        timeout = try layers.read(Keys.httpTimeout)
        connections = try layers.read(Keys.httpConnections)
        bytes = try layers.read(Keys.httpBytes)
        clientRequests = try layers.read(Keys.httpClientRequests)
        tokens = try layers.optional(Keys.tokens)
        corsOrigins = try layers.optionalList(Keys.corsOrigin) ?? []
        keys = try layers.optional(Keys.keys)
        imageBytes = try layers.read(Keys.imageBytes)
        drainTime = try layers.read(Keys.drainTime)
        logLevel = try layers.read(Keys.logLevel)

        let insecure = try layers.read(Keys.insecure)
        if !insecure, tokens == nil,
            Endpoint("tcp://\(host.contains(":") ? "[\(host)]" : host):1", for: .bind)?.isLocal != true
        {
            throw SettingsError(
                setting: Keys.httpHost.name,
                "\(layers.source(of: Keys.httpHost)) is \(host), where everybody who can connect may use the service; "
                    + "listen on 127.0.0.1, give --tokens, or allow it with --insecure")
        }
        if bytes < imageBytes {
            throw SettingsError(
                setting: Keys.httpBytes.name,
                "\(layers.source(of: Keys.httpBytes)) is \(bytes) bytes, less than one image of image-bytes "
                    + "(\(imageBytes)); raise the one or lower the other")
        }
    }
}
