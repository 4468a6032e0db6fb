internal import BifronsWire
internal import BifronsZeroMQ
internal import Decisions
internal import Glibc
internal import Hashing
internal import Journal
internal import Keyring
internal import Logging
internal import Reactor
internal import RouterCore
internal import Settings

/// Turns what arrives into events of the core.
extension RouterService {
    /// Receives clients' messages, up to the limit per turn.
    ///
    /// - Returns: whether everything that had arrived was read.
    func receiveFromClients() throws -> Bool {
        for _ in 0..<Self.messagesPerTurn {
            let (token, message) = pending.vacancy()
            guard try clients.socket.receive(into: message, maxFrames: Limits.clientMessageFrames) else { return true }
            clients.noteDelivery(of: message)
            if RequestFrames.isProbe(BehindRoutingID(message: message), dropped: message.droppedFrames) { continue }
            let (connection, hasEnded) = try connection(of: message) ?? (nil, false)
            handle(event(for: message, token, connection), at: MonotonicClock.now())
            if hasEnded { clientsGone([token]) }
        }
        return false
    }

    /// Decodes a client's message into an event, and stores it under the token.
    func event(
        for message: Message, _ token: RouterCore.Token, _ connection: Pending.Connection?
    ) -> RouterCore.Event {
        let frames: RequestFrames
        do {
            frames = try RequestFrames.locate(in: BehindRoutingID(message: message), dropped: message.droppedFrames)
        } catch {
            pending.occupy(
                token,
                Pending.Request(
                    echoedFrames: 1 + error.envelopeCount, form: error.form, image: nil, connection: connection))
            return .malformedRequest(token, id: nil, error.error)
        }
        let image = frames.image.map { $0 + 1 }
        pending.occupy(
            token,
            Pending.Request(
                echoedFrames: 1 + frames.envelopeCount, form: frames.form, image: image, connection: connection))
        var header = RequestHeader(verb: .classify)
        if let index = frames.header {
            let decoded = message.withBytes(at: index + 1) { bytes in
                Result { () throws(RequestHeader.Refused) in try RequestHeader.decode(bytes) }
            }
            switch decoded {
            case .success(let read): header = read
            case .failure(let refused): return .malformedRequest(token, id: refused.id, refused.error)
            }
        }
        if header.id == nil, header.verb.isJob {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            let nanoseconds = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
            header.id = RequestID.make(nanoseconds: nanoseconds, random: &random)
        }
        // A replay may come with the image of the decision.
        let hasImage = header.verb == .replay && image.map { message.byteCount(at: $0) > 0 } ?? false
        if header.verb.isAboutDecisions, !hasImage { return question(token, header, image, in: message) }
        let imageBytes = image.map { message.byteCount(at: $0) }
        return .request(
            token, header, imageBytes: imageBytes, sha256: digest(of: image, in: message, header),
            totalBytes: message.totalBytes, from: principal(of: message))
    }

    /// Returns the event of a request about policies or decisions, whose frame behind the header is JSON.
    private func question(
        _ token: RouterCore.Token, _ header: RequestHeader, _ body: Int?, in message: Message
    ) -> RouterCore.Event {
        let bytes = body.map { message.byteCount(at: $0) } ?? 0
        guard bytes <= Limits.headerBytes else {
            let error = WireError(
                .tooLarge, code: "body_too_large",
                "the body has \(bytes) bytes; at most \(Limits.headerBytes) are read")
            return .malformedRequest(token, id: header.id, error)
        }
        return .request(
            token, header, imageBytes: nil, body: body.map { message.withBytes(at: $0) { Array($0) } } ?? [],
            totalBytes: message.totalBytes, from: principal(of: message))
    }

    /// Returns the image's SHA-256, which is part of what an idempotency key stands for. Returns nil without a key, and
    /// for an image that is too large to be admitted.
    func digest(of image: Int?, in message: Message, _ header: RequestHeader) -> [UInt8]? {
        guard let image, header.verb == .classify, header.idempotencyKey != nil,
            message.byteCount(at: image) <= settings.imageBytes
        else { return nil }
        return message.withBytes(at: image) { SHA256.digest(of: $0) }
    }

    /// Receives workers' messages, up to the limit per turn.
    ///
    /// - Returns: whether everything that had arrived was read.
    func receiveFromWorkers() throws -> Bool {
        for _ in 0..<Self.messagesPerTurn {
            guard try workers.socket.receive(into: incoming, maxFrames: 1 + Limits.workerMessageFrames) else {
                return true
            }
            workers.noteDelivery(of: incoming)
            // A message without a peer id comes from a peer with a routing id of its own choice, and workers choose
            // none.
            guard let peer = Self.peer(incoming), incoming.count >= 2, incoming.droppedFrames == 0 else {
                handle(.malformedMessage, at: MonotonicClock.now())
                continue
            }
            if let authenticator, authenticator.sender(of: incoming, in: .workers) == nil {
                // The worker's key was removed from the allow-list, so its jobs go to other workers at once.
                handle(.lost(peer, .revoked), at: MonotonicClock.now())
                continue
            }
            let decoded = incoming.withBytes(at: 1) { bytes in
                Result { () throws(MalformedMessage) in try WorkerMessage.decode(bytes) }
            }
            switch decoded {
            case .success(let message): try take(message, from: peer)
            case .failure(let malformed):
                handle(.malformedMessage, at: MonotonicClock.now())
                if let version = malformed.otherVersion { refuse(peer, ofVersion: version) }
            }
        }
        return false
    }

    private func take(_ message: WorkerMessage, from peer: RouterCore.Peer) throws {
        let now = MonotonicClock.now()
        // The routing id and the message come first; the frames after them are crops.
        let payload = 2
        if case .crops(let crops) = message {
            let frames = (payload..<incoming.count).map { incoming.byteCount(at: $0) }
            handle(.crops(peer, crops, frames: frames, self.crops.keep(incoming, from: payload)), at: now)
            return
        }
        guard incoming.count == payload else { return handle(.malformedMessage, at: now) }
        if case .hello(let hello) = message {
            try noteConnection(of: peer, incoming.sourceDescriptor)
            logger.info(
                "worker sent HELLO",
                metadata: ["worker": "\(hello.worker)", "model": "\(hello.model)", "credit": "\(hello.credit)"])
        }
        handle(.worker(peer, message), at: now)
    }

    private func refuse(_ peer: RouterCore.Peer, ofVersion version: UInt8) {
        logger.warning(
            "worker of another release was refused",
            metadata: ["its-protocol": "\(version)", "protocol": "\(Limits.workerProtocolVersion)"])
        // The worker is not on the roster, so nobody depends on the outcome.
        _ = try? send(RouterMessage.refusal(ofVersion: version), to: peer)
    }

    /// Passes the journal's mail to the core.
    func receiveFromJournal() {
        for mail in journal?.mail.drain() ?? [] {
            let now = MonotonicClock.now()
            switch mail {
            case .persisted(let job, let outcome): handle(.persisted(job: job, outcome), at: now)
            case .recorded(let job, let failure): handle(.recorded(job: job, failure: failure), at: now)
            case .found(let token, let found): handle(.found(token, found), at: now)
            case .answered(let token, let answer): handle(.answered(token, answer), at: now)
            case .policies(let book):
                if let (shadow, version) = book.missingShadow { warnAbout(shadow, of: version) }
                handle(.policies(book), at: now)
            case .recovered(let jobs):
                logger.info("journal is open", metadata: ["unfinished": "\(jobs.count)"])
                for job in jobs {
                    let token = pending.adopt(job.image)
                    let event = RouterCore.Event.recovered(
                        token, job: job.job, job.header, key: job.key, sha256: job.sha256, bytes: job.image.byteCount)
                    handle(event, at: now)
                }
            case .failing(let reason):
                journalFailure = reason
                logger.error("journal fails, durable jobs are refused", metadata: ["reason": "\(reason)"])
            case .working:
                journalFailure = nil
                logger.info("journal works again")
            }
        }
    }

    private func warnAbout(_ shadow: PolicyReference, of version: PolicyReference) {
        logger.warning(
            "shadow policy does not exist and is left out", metadata: ["shadow": "\(shadow)", "policy": "\(version)"])
    }

    /// Handles signals: SIGHUP reloads the allow-list, the first other signal starts the drain, and a further one
    /// abandons it.
    func receiveSignals() {
        while let signal = signals.receive() {
            if signal == .hangUp {
                reloadAllowList()
                continue
            }
            let now = MonotonicClock.now()
            if drainEnds != nil {
                handle(.abandon, at: now)
            } else {
                logger.info("router is draining", metadata: ["jobs": "\(core.jobsInHand)"])
                drainEnds = now + settings.drainTime
                handle(.drain, at: now)
            }
        }
    }

    /// Returns the peer that a worker's message comes from, or nil if its routing id was not assigned by the ROUTER
    /// socket.
    static func peer(_ message: Message) -> RouterCore.Peer? {
        guard message.count > 0, message.byteCount(at: 0) == routingIDBytes else { return nil }
        let routingID = message.withBytes(at: 0) { bytes in
            bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        return RouterCore.Peer(routingID: routingID)
    }
}
