internal import BifronsWire
internal import BifronsZeroMQ
internal import Logging
internal import Reactor
internal import WorkerCore

// Turns what arrives into the core's events.
extension WorkerService {
    func receive(from router: WorkerCore.Router) throws {
        guard let connection = routers[router]?.connection else { return }
        var events: [MonitorEvent] = []
        while let event = try connection.monitor.receive() { events.append(event) }
        // All messages come before the events, because messages received before a disconnection belong to that
        // connection.
        while try connection.socket.receive(into: incoming, maxFrames: Limits.workerMessageFrames) {
            try take(incoming, router)
        }
        for event in events {
            // The event before may have ended the connection.
            guard routers[router]?.connection === connection else { return }
            logger.debug("connection", metadata: ["event": "\(event)"])
            let now = MonotonicClock.now()
            switch event.kind {
            case .handshakeSucceeded: try handle(.connected(router), at: now)
            default: try handle(.disconnected(router), at: now)
            }
        }
    }

    private func take(_ message: Message, _ router: WorkerCore.Router) throws {
        let now = MonotonicClock.now()
        let decoded = message.withBytes(at: 0) { bytes in
            Result { () throws(MalformedMessage) in try RouterMessage.decode(bytes) }
        }
        switch decoded {
        case .failure(let malformed):
            logger.warning(
                "malformed message from router",
                metadata: [
                    "router": "\(endpoint(of: router))", "reason": "\(malformed.reason)",
                ])
            if let version = malformed.otherVersion { try handle(.receivedForeign(router, version: version), at: now) }
        case .success(let content):
            note(content, router)
            var payload: WorkerCore.Payload?
            if message.count > 1 {
                lastToken += 1
                payload = WorkerCore.Payload(token: lastToken, byteCount: message.byteCount(at: 1))
                payloads[lastToken] = message.frame(at: 1)
            }
            try handle(.received(router, content, payload), at: now)
        }
    }

    private func note(_ message: RouterMessage, _ router: WorkerCore.Router) {
        let endpoint: Logger.MetadataValue = "\(endpoint(of: router))"
        switch message {
        case .welcome:
            routers[router]?.refusal = nil
            onWelcome?(self.endpoint(of: router))
            logger.info("router accepts the worker", metadata: ["router": endpoint])
        case .resync: logger.warning("router no longer knows the worker", metadata: ["router": endpoint])
        case .bye(let reason, _):
            guard routers[router]?.refusal != reason else { return }
            routers[router]?.refusal = reason
            logger.warning("router does not accept the worker", metadata: ["router": endpoint, "reason": "\(reason)"])
        case .locate, .score, .examine, .pong: break
        }
    }

    func endpoint(of router: WorkerCore.Router) -> String {
        routers[router]?.endpoint ?? "none"
    }

    /// Takes over a lookup result. A name that cannot be resolved now keeps its last addresses.
    func take(_ report: Resolver.Report) throws {
        let name = report.endpoint
        switch report.outcome {
        case .found(let endpoints):
            logger.info(
                "name of routers was resolved", metadata: ["name": "\(name.name)", "routers": "\(endpoints)"])
            resolved[name] = endpoints
            if !isDraining { try follow() }
        case .failed(let reason):
            logger.warning(
                "name of routers cannot be resolved", metadata: ["name": "\(name.name)", "reason": "\(reason)"])
        }
    }

    /// Handles a report of a thread.
    func take(_ report: Report) throws {
        let now = MonotonicClock.now()
        switch report {
        case .ready(let stage): try introduce(stage)
        case .unfit(let error): throw UnfitWorker(description: "\(error)")
        case .broken(let error): throw error
        case .located(let token, let located, let crops):
            note(done: token)
            cut[token] = crops
            try handle(.computed(.located(token, located)), at: now)
        case .examined(let token, let evidence):
            note(done: token)
            try handle(.computed(.examined(token, evidence)), at: now)
        case .reloaded: try finishReload(at: now)
        case .failed(let token, let error):
            note(done: token)
            warn(error)
            try handle(.computed(.failed(token, error)), at: now)
        case .scored(let batch, let results):
            note(done: batch)
            for case .failure(let error) in results.prefix(1) { warn(error) }
            try handle(.computed(.scored(batch: batch, results)), at: now)
        }
    }

    /// Logs a failure that is not the image's fault and so concerns the operator.
    private func warn(_ error: WireError) {
        guard error.status == .unavailable else { return }
        logger.error("cannot compute a job", metadata: ["error": "\(error.message)"])
    }

    /// Records that the report of an order was taken.
    ///
    /// - Parameter number: The token of an image or the number of a batch.
    private func note(done number: Int) {
        switch threads {
        case .cutting(let threads): threads.note(done: number)
        case .scoring(let threads): threads.note(done: number)
        case .examining(let threads): threads.note(done: number)
        case nil: break
        }
    }

    /// Handles signals: SIGHUP reloads, the first other one drains, a second one abandons the jobs. Before the model is
    /// ready one signal suffices.
    func receiveSignals() throws {
        while let signal = signals.receive() {
            if signal == .hangUp {
                isReloadWanted = true
                try reloadIfWanted()
                continue
            }
            guard core != nil else {
                isFinished = true
                return
            }
            let now = MonotonicClock.now()
            if isDraining {
                try handle(.abandon, at: now)
            } else {
                isDraining = true
                logger.info("worker is draining", metadata: ["jobs": "\(core?.jobsInHand ?? 0)"])
                try handle(.drain, at: now)
            }
        }
    }
}
