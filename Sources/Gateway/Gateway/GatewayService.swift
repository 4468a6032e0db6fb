internal import BifronsClient
internal import Dispatch
internal import Glibc
internal import Hummingbird
internal import HummingbirdCore
internal import Keyring
package import Logging
internal import NIOCore
internal import Reactor
internal import ServiceLifecycle
package import Settings
internal import Synchronization
internal import UnixSignals

/// Why the gateway cannot serve, in one sentence for the operator.
package struct GatewayError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

/// The gateway process: the HTTP server around ``Gateway``, the client of the routers, and the signals that stop the
/// gateway (SIGTERM, SIGINT) or make it read its tokens again (SIGHUP).
package struct GatewayService: Sendable {
    /// The number of file descriptors that are reserved for everything but connections.
    private static let spareDescriptors = 64

    private let settings: GatewaySettings
    private let logger: Logger
    private let client: BifronsClient
    private let gateway: Gateway

    /// Reads keys and tokens, and opens the client's sockets. Does not listen yet.
    package init(settings: GatewaySettings, logger: Logger) throws(GatewayError) {
        self.settings = settings
        self.logger = logger
        do {
            var options = BifronsClient.Options(routers: settings.routers)
            options.largestImage = settings.imageBytes
            if let keys = settings.keys { try Self.take(KeyFolder(keys), settings, into: &options) }
            client = try BifronsClient(options)
            gateway = try Gateway(settings: settings, client: client, logger: logger)
        } catch {
            throw GatewayError(description: "\(error)")
        }
    }

    /// Takes the gateway's own key from the folder, or else an operator's or a client's. Only the gateway's own key may
    /// submit jobs on behalf of an owner.
    private static func take(
        _ folder: KeyFolder, _ settings: GatewaySettings, into options: inout BifronsClient.Options
    ) throws {
        guard settings.tokens == nil || folder.has(.gateway) else {
            throw GatewayError(
                description:
                    "\(folder.path) has no gateway.secret, which the gateway needs to keep the jobs of different "
                    + "tokens apart; make one with 'bifrons keygen', and put its line into the list of the routers")
        }
        // A client's key may do everything but `status`.
        options.curve = try folder.client(.gateway, .operator, .client)
    }

    /// Serves until a signal stops the gateway and all requests in flight are answered.
    /// - Parameter onReady: called with the gateway's URL once it listens.
    package func run(onReady: @escaping @Sendable (String) -> Void) throws(GatewayError) {
        let outcome = Mutex<Result<Void, GatewayError>>(.success(()))
        let ended = DispatchSemaphore(value: 0)
        Task {
            do throws(GatewayError) {
                try await serve(onReady)
            } catch {
                outcome.withLock { $0 = .failure(error) }
            }
            ended.signal()
        }
        // Waiting here blocks only the main thread, which runs no tasks.
        ended.wait()
        try outcome.withLock { $0 }.get()
    }

    private func serve(_ onReady: @escaping @Sendable (String) -> Void) async throws(GatewayError) {
        // Accepts at most as many connections as the system's limit on open files allows.
        let connections = min(settings.connections, OpenFiles.raiseLimit() - Self.spareDescriptors)
        let application = gateway.application(connections: connections) { port in
            let host = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
            logger.info("gateway is ready", metadata: ["url": "http://\(host):\(port)"])
            onReady("http://\(host):\(port)")
        }
        var configuration = ServiceGroupConfiguration(
            services: [
                application, FeedEnd(feed: gateway.feed),
                TokenReload(tokens: gateway.tokens, feed: gateway.feed, logger: logger),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: Logger(label: "services") { _ in SwiftLogNoOpLogHandler() })
        configuration.maximumGracefulShutdownDuration = settings.drainTime
        defer { client.close() }
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch let error as IOError {
            throw GatewayError(
                description: "cannot listen at \(settings.host), port \(settings.port): "
                    + "\(String(cString: strerror(error.errnoCode))); choose another --http-host or --http-port")
        } catch {
            throw GatewayError(description: "the gateway stopped: \(error)")
        }
        logger.info("gateway has drained")
    }

    /// Ends the event streams at shutdown; they would keep their connections open forever.
    private struct FeedEnd: Service {
        let feed: StatusFeed

        func run() async throws {
            try? await gracefulShutdown()
            await feed.close()
        }
    }

    private struct TokenReload: Service {
        let tokens: TokenFile?
        let feed: StatusFeed
        let logger: Logger

        func run() async throws {
            for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
                do {
                    for _ in 0..<(try tokens?.reload() ?? 0) { await feed.noteRevokedToken() }
                    logger.info("tokens were read again")
                } catch {
                    logger.error("tokens cannot be used, the old ones stay", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}

extension Gateway {
    /// The most bytes of a header field, and of a request's whole header.
    static let headerBytes = 16_384
    static let headerFields = 100
    /// The most bytes of a form besides its file.
    private static let formOverheadBytes = 131_072

    /// Returns the HTTP server.
    /// - Parameters:
    ///   - connections: the most connections that are accepted at a time; others wait.
    ///   - onListening: called with the port once the server listens.
    func application(
        connections: Int, onListening: @escaping @Sendable (_ port: Int) -> Void
    ) -> some ApplicationProtocol {
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                ConnectionDeadlineHandler(
                    timeout: settings.timeout, largestBody: settings.imageBytes + Self.formOverheadBytes,
                    refuse: refuse)
            ],
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: Self.headerBytes, maxHeaderListSize: Self.headerBytes,
                maxHeaderFieldCount: Self.headerFields))
        return Application(
            router: makeRouter(), server: .http1(configuration: channel),
            configuration: ApplicationConfiguration(
                address: .hostname(settings.host, port: settings.port), backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(connections, logger: logger)),
            onServerRunning: { onListening($0.localAddress?.port ?? settings.port) },
            logger: Logger(label: "hummingbird") { _ in SwiftLogNoOpLogHandler() })
    }
}
