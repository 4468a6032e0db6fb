internal import BifronsWire
internal import BifronsZeroMQ
internal import Hexadecimal
internal import Logging
internal import Reactor
internal import Settings
internal import WorkerCore

// Performs the core's actions.
extension WorkerService {
    /// Enters the sandbox, starts the threads, connects to the routers and starts resolving names, once the model is
    /// ready.
    func introduce(_ stage: HostedModel) throws {
        // Before the first socket, because then the threads of libzmq start restricted: they block the signal by which
        // the sandbox reaches threads.
        let sandbox = entersSandbox ? try enterSandbox(for: stage) : nil
        let reports = reports
        switch stage {
        case .locator(let cutter):
            threads = .cutting(
                try ComputingThreads(
                    name: "decoding", count: settings.decodeThreads, reports: reports, broken: { .broken($0) }
                ) { cutting, _ in cutting.perform(cutter) })
        case .network(let scorer):
            threads = .scoring(
                try ComputingThreads(name: "inference", count: 1, reports: reports, broken: { .broken($0) }) {
                    $0.perform(scorer, step: $1)
                })
        case .evidence(let examiner):
            self.examiner = examiner
            threads = .examining(
                try ComputingThreads(
                    name: "examining", count: settings.decodeThreads, reports: reports, broken: { .broken($0) }
                ) { examining, _ in examining.perform(examiner) })
        }
        let hello = hello(stage, sandbox)
        var configuration = WorkerCore.Configuration(
            hello: hello, routers: 0, maxBatch: settings.maxBatch, lanes: settings.decodeThreads)
        configuration.drainTime = settings.drainTime
        core = WorkerCore(configuration)
        try follow()
        try reloadIfWanted()
        let names = settings.routers.compactMap(Resolver.Endpoint.init)
        if !names.isEmpty {
            let resolver = try Resolver(names, every: settings.resolveInterval, lookup)
            self.resolver = (resolver, polled.add(descriptor: resolver.reports.descriptor))
        }
        logger.info(
            "worker is ready",
            metadata: [
                "worker": "\(hello.worker)", "model": "\(hello.model)", "version": "\(hello.version)",
                "digest": "\(hello.digest)", "routers": "\(settings.routers)", "sandbox": "\(sandbox?.text ?? "off")",
            ])
    }

    private func hello(_ stage: HostedModel, _ sandbox: WorkerMessage.Sandbox?) -> WorkerMessage.Hello {
        let model = stage.identity
        let bootID = UInt64.random(in: .min ... .max)
        let digits = withUnsafeBytes(of: UInt16(truncatingIfNeeded: bootID).bigEndian) { $0.hexadecimal }
        return WorkerMessage.Hello(
            role: stage.role, model: model.name, version: model.version, digest: model.digest,
            worker: settings.name ?? "\(model.name)-\(digits)", credit: 0, bootID: bootID, metrics: model.metrics,
            sandbox: sandbox)
    }

    /// Tells the core which routers are listed now, and connects to new ones.
    func follow() throws {
        var listed: Set<String> = []
        for given in settings.routers {
            listed.formUnion(Resolver.Endpoint(given).map { resolved[$0] ?? [] } ?? [given])
        }
        let now = MonotonicClock.now()
        for (index, router) in routers.enumerated() {
            guard let router else { continue }
            try handle(listed.remove(router.endpoint) != nil ? .listed(index) : .unlisted(index), at: now)
        }
        for endpoint in listed.sorted() {
            let connection = try connect(to: endpoint)
            let router = Router(
                endpoint: endpoint, connection: connection,
                entries: (polled.add(connection.socket), polled.add(connection.monitor)))
            let index = routers.firstIndex { $0 == nil } ?? routers.endIndex
            if index == routers.endIndex { routers.append(router) } else { routers[index] = router }
            try handle(.listed(index), at: now)
        }
    }

    private func connect(to endpoint: String) throws -> Connection {
        guard let context else { preconditionFailure("connecting after the end") }
        let payloadBytes =
            switch threads {
            case .scoring: Limits.cropSetBytes
            case .cutting, .examining, nil: settings.imageBytes
            }
        return try Connection(to: endpoint, context: context, curve: curve, payloadBytes: payloadBytes)
    }

    /// Passes an event to the core and performs the actions that follow.
    func handle(_ event: WorkerCore.Event, at now: Instant) throws {
        for action in core?.handle(event, at: now) ?? [] {
            switch action {
            case .send(let router, let message, let crops): send(message, to: router, crops)
            case .locate(let token, let specifications): locate(token, specifications)
            case .examine(let token): examine(token)
            case .demote(let token): try demote(token)
            case .score(let batch): score(batch)
            case .release(let token):
                payloads[token] = nil
                cut[token] = nil
            case .reconnect(let router): try reconnect(router)
            case .leave(let router): leave(router)
            case .refused(let router, let reason):
                refusal = UnfitWorker(
                    description: "the router at \(endpoint(of: router)) will not take this worker: \(reason)")
            case .finished: isFinished = true
            }
        }
    }

    private func locate(_ token: WorkerCore.Token, _ specifications: [CropSpecification]) {
        guard case .cutting(let threads) = threads, let file = payloads.removeValue(forKey: token) else { return }
        threads.order(Cutting(token: token, file: file, specifications: specifications), number: token)
    }

    private func examine(_ token: WorkerCore.Token) {
        guard case .examining(let threads) = threads, let file = payloads.removeValue(forKey: token) else { return }
        threads.order(Examining(token: token, file: file), number: token)
    }

    private func demote(_ token: WorkerCore.Token) throws {
        switch threads {
        case .cutting(let threads): try threads.demote(token)
        case .examining(let threads): try threads.demote(token)
        case .scoring, nil: break
        }
    }

    private func score(_ batch: WorkerCore.Batch) {
        guard case .scoring(let threads) = threads else { return }
        let parts = batch.parts.compactMap { part in
            payloads[part.token].map { Scoring.Part(frame: $0, crops: part.crops) }
        }
        threads.order(Scoring(batch: batch.number, parts: parts), number: batch.number)
    }

    private func send(_ message: WorkerMessage, to router: WorkerCore.Router, _ crops: WorkerCore.Token?) {
        outgoing.removeAll()
        outgoing.append(message.encoded())
        if let crops { for frame in cut.removeValue(forKey: crops) ?? [] { outgoing.append(frame) } }
        // A message that cannot be sent is lost with its connection, whose end or silence will be noticed.
        if (try? routers[router]?.connection.socket.send(outgoing)) != .sent {
            logger.debug("cannot send a message", metadata: ["router": "\(endpoint(of: router))"])
        }
    }

    private func reconnect(_ router: WorkerCore.Router) throws {
        guard let entries = routers[router]?.entries else { return }
        let endpoint = endpoint(of: router)
        logger.warning("router does not answer", metadata: ["router": "\(endpoint)"])
        polled.remove(entries.socket)
        polled.remove(entries.monitor)
        let connection = try connect(to: endpoint)
        routers[router]?.connection = connection
        routers[router]?.entries = (polled.add(connection.socket), polled.add(connection.monitor))
    }

    private func leave(_ router: WorkerCore.Router) {
        guard let entries = routers[router]?.entries else { return }
        logger.info("router is gone", metadata: ["router": "\(endpoint(of: router))"])
        polled.remove(entries.socket)
        polled.remove(entries.monitor)
        routers[router] = nil
    }
}
