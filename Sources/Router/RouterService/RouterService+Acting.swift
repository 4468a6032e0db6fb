internal import BifronsWire
internal import BifronsZeroMQ
internal import Glibc
internal import Hexadecimal
internal import Journal
internal import Logging
internal import Reactor
internal import RouterCore
internal import Settings

/// Performs the core's actions.
extension RouterService {
    /// Passes an event to the core and performs the resulting actions. Then reports workers that could not be reached
    /// as lost.
    func handle(_ event: RouterCore.Event, at now: Instant) {
        perform(core.handle(event, at: now))
        while let peer = unreachable.popLast() {
            logger.warning("worker cannot be reached")
            // If the worker's connection has ended, that is the reason to report.
            try? readConnectionEvents()
            perform(core.handle(.lost(peer, .unreachable), at: now))
        }
    }

    func perform(_ actions: [RouterCore.Action]) {
        for action in actions {
            switch action {
            case .reply(let token, let reply):
                send(reply, to: token)
                pending.release(token)
            case .acknowledge(let token, let reply): send(reply, to: token)
            case .release(let token): pending.release(token)
            case .persist(let token, let job, let header, let key, let sha256):
                persist(job, header, key: key, sha256: sha256, token)
            case .record(let job, let document, let decision, let reviewing):
                journal?.record(job, document, decision, reviewing: reviewing.flatMap(image(of:)))
            case .decide(let decision, let reviewing):
                journal?.decide(decision, reviewing: reviewing.flatMap(image(of:)))
            case .recordShadow(let score): journal?.record(score)
            case .ask(let token, let question): journal?.ask(question, for: token)
            case .find(let token, let id, let jobOwner): journal?.find(id, of: jobOwner, for: token)
            case .send(let peer, let message): send(message, to: peer)
            case .locate(let peer, let job, let specifications, let token):
                send(.locate(job, specifications), to: peer) { appendImage(of: token, to: $0) }
            case .examine(let peer, let job, let token):
                send(.examine(job), to: peer) { appendImage(of: token, to: $0) }
            case .score(let peer, let job, let token, let frame):
                send(.score(job), to: peer) { $0.append(crops.frame(frame, of: token)) }
            case .releaseCrops(let token): crops.release(token)
            case .drained: isDrained = true
            }
        }
    }

    /// Appends the image of the request with this token, by reference.
    private func appendImage(of token: RouterCore.Token, to outgoing: Message) {
        guard let image = pending.request(token)?.image else { return }
        outgoing.append(sharing: pending.message(token), at: image)
    }

    /// Sends the reply of the request with this token.
    func send(_ reply: RouterCore.Reply, to token: RouterCore.Token) {
        guard let request = pending.request(token) else { return }
        guard request.isConnected else { return core.noteUndelivered() }
        outgoing.removeAll()
        outgoing.appendFrames(sharing: pending.message(token), 0..<request.echoedFrames)
        if request.form == .version1 { outgoing.append(Limits.magic) }
        switch reply {
        case .result(let document): outgoing.append(document.encoded())
        case .status(var report):
            report.journal = journalReport
            outgoing.append(report.encoded())
        case .history(var report):
            report.fromMs += Self.wallMilliseconds
            outgoing.append(report.encoded())
        case .events(var report):
            let now = Self.wallMilliseconds
            for index in report.events.indices { report.events[index].atMs += now }
            outgoing.append(report.encoded())
        case .models(let report): outgoing.append(report.encoded())
        case .drift(let report): outgoing.append(report.encoded())
        case .decisions(let reply): outgoing.append(reply.encoded())
        }
        // A client that is gone or does not read loses its reply, so that no other client waits for it.
        do {
            if try clients.socket.send(outgoing) != .sent { core.noteUndelivered() }
        } catch {
            logger.warning("reply could not be sent", metadata: ["error": "\(error)"])
        }
    }

    /// The milliseconds since 1970 by the system's clock.
    private static var wallMilliseconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int(time.tv_sec) * 1000 + Int(time.tv_nsec) / 1_000_000
    }

    private var journalReport: StatusReport.Journal? {
        journal.map {
            var report = StatusReport.Journal(
                failure: journalFailure, unfinished: core.jobsUnfinishedOnDisk, bytes: $0.bytes,
                maxBytes: settings.journalBytes)
            report.decisions = $0.head.map { Int($0.sequence) }
            report.head = $0.head.map(\.hash.hexadecimal)
            return report
        }
    }

    /// Sends a message to a worker. A worker that cannot be reached is added to `unreachable`.
    ///
    /// - Parameter appendPayload: appends the message's payload frame, if it has one.
    func send(_ message: RouterMessage, to peer: RouterCore.Peer, appendPayload: (Message) -> Void = { _ in }) {
        let outcome = try? send(message.encoded(), to: peer, appendPayload: appendPayload)
        if outcome != .sent { unreachable.append(peer) }
    }

    /// Sends encoded bytes to a worker and returns the outcome.
    func send(
        _ message: [UInt8], to peer: RouterCore.Peer, appendPayload: (Message) -> Void = { _ in }
    ) throws(ZeroMQError) -> Socket.SendOutcome {
        outgoing.removeAll()
        outgoing.append(byteCount: Self.routingIDBytes) { bytes in
            for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: peer.routingID >> (8 * index)) }
        }
        outgoing.append(message)
        appendPayload(outgoing)
        return try workers.socket.send(outgoing)
    }

    /// Passes a durable job with its image to the journal.
    func persist(
        _ job: UInt64, _ header: RequestHeader, key: String?, sha256: [UInt8]?, _ token: RouterCore.Token
    ) {
        guard let image = image(of: token) else { return }
        journal?.persist(job, header, key: key, sha256: sha256, image: image)
    }

    /// Returns the image of the request with this token.
    private func image(of token: RouterCore.Token) -> Frame? {
        pending.request(token)?.image.map { pending.message(token).frame(at: $0) }
    }
}
