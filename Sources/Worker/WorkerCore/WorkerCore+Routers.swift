internal import BifronsWire

extension WorkerCore {
    private var routers: Int { links.count { $0.isUsed } }

    mutating func list(_ router: Router) {
        if router == links.count { links.append(Link(patience: configuration.welcomePatience)) }
        if !links[router].isUsed { links[router] = Link(patience: configuration.welcomePatience) }
        links[router].isListed = true
    }

    /// As long as it is connected, it is there whatever a list says: a list with a gap costs nothing.
    mutating func leaveIfGone(_ router: Router) {
        guard links[router].isUsed, !links[router].isListed, case .disconnected = links[router].state else { return }
        links[router].isUsed = false
        actions.append(.leave(router))
    }

    /// A HELLO waits for something that is being computed: a worker whose threads hang, and that was given up for it,
    /// shall not be given more jobs.
    ///
    /// - Parameter connection: how many outcomes had been reported when the router was connected.
    func canGreet(since connection: UInt64) -> Bool {
        drainEnds == nil && (outcomes > connection || !stage.isComputing)
    }

    mutating func greet(_ now: Instant) {
        for router in links.indices {
            guard case .connected(let helloAt, let connection) = links[router].state, helloAt <= now,
                canGreet(since: connection)
            else { continue }
            var hello = configuration.hello
            let credit = share(among: routers)
            hello.credit = UInt32(clamping: credit)
            // A router that is listed under two addresses shall not take the one connection for the other's successor.
            hello.bootID &+= UInt64(router)
            links[router].state = .greeted(until: now + links[router].patience, credit: credit)
            actions.append(.send(router, .hello(hello)))
        }
    }

    mutating func receive(_ message: RouterMessage, _ payload: Payload?, from router: Router, _ now: Instant) {
        var credit = 0
        switch (links[router].state, message) {
        case (.registered(var registration), _):
            registration.hear(at: now)
            credit = registration.credit
            links[router].state = .registered(registration)
            switch message {
            case .locate, .score: return accept(message, payload, from: router, registration.epoch, now)
            case .welcome, .pong, .resync, .bye: break
            }
        case (.greeted(_, let granted), .welcome), (.greeted(_, let granted), .bye): credit = granted
        default:
            // On its way when the registration ended: a job that another worker has by now, a RESYNC that crossed our HELLO.
            if let payload { actions.append(.release(payload.token)) }
            return
        }
        if let payload { actions.append(.release(payload.token)) }
        switch message {
        case .welcome(let epoch, let heartbeat): register(router, epoch, heartbeat, credit, now)
        case .resync:
            forget(router)
            links[router].state = .connected(helloAt: now, outcomes: outcomes)
        case .bye(_, isFinal: false):
            forget(router)
            links[router].state = .connected(helloAt: now + configuration.refusalPause, outcomes: outcomes)
        case .bye(let reason, isFinal: true): refuse(router, reason)
        case .pong, .locate, .score: break
        }
    }

    /// - Parameter credit: what the HELLO granted; there may be more or fewer routers by now.
    private mutating func register(
        _ router: Router, _ epoch: UInt64, _ heartbeat: UInt32, _ credit: Int, _ now: Instant
    ) {
        forget(router)
        if drainEnds != nil {
            links[router].state = .disconnected
            actions.append(.send(router, .bye(epoch: epoch)))
            return
        }
        links[router].patience = configuration.welcomePatience
        links[router].state = .registered(
            Link.Registration(epoch: epoch, heartbeatMilliseconds: heartbeat, credit: credit, at: now))
    }

    /// Forgets a registration and its jobs: the router has given them to another worker, or is gone with those who asked.
    mutating func forget(_ router: Router) {
        guard case .registered = links[router].state else { return }
        links[router].state = .disconnected
        for job in stage.remove(of: router) { actions.append(.release(job.token)) }
    }

    /// It speaks of another release: neither of the two is going to understand the other.
    mutating func receiveForeign(_ version: UInt8, from router: Router) {
        switch links[router].state {
        case .disconnected, .connected: break
        case .greeted, .registered:
            refuse(
                router,
                "it speaks version \(version) of the worker protocol, and this worker version \(Limits.workerProtocolVersion): use the same release of both"
            )
        }
    }

    private mutating func refuse(_ router: Router, _ reason: String) {
        forget(router)
        links[router].state = .disconnected
        actions.append(.refused(router, reason: reason))
        leave()
    }

    private func share(among routers: Int) -> Int {
        max(1, (configuration.credit + stage.extraCredit) / max(1, routers))
    }

    mutating func shareCredit() {
        guard drainEnds == nil, !isFinished else { return }
        let share = share(among: links.count { $0.isRegistered })
        for router in links.indices {
            guard case .registered(var registration) = links[router].state, registration.credit != share else {
                continue
            }
            registration.credit = share
            links[router].state = .registered(registration)
            actions.append(.send(router, .credit(epoch: registration.epoch, jobs: UInt32(clamping: share))))
        }
    }

    // MARK: Time

    mutating func keepTime(_ progress: UInt64, _ now: Instant) {
        if let drainEnds, drainEnds <= now { return leave() }
        for router in links.indices {
            switch links[router].state {
            case .disconnected, .connected: break
            case .greeted(let until, _):
                guard until <= now else { break }
                links[router].patience = min(links[router].patience * 2, configuration.welcomePatienceMaximum)
                giveUp(router)
            case .registered(var registration):
                if let lost = registration.lostAt(configuration.missedHeartbeats), lost <= now {
                    giveUp(router)
                } else if registration.nextPing <= now {
                    registration.ping(at: now)
                    links[router].state = .registered(registration)
                    let inFlight = UInt32(clamping: stage.count(of: router))
                    actions.append(
                        .send(router, .ping(epoch: registration.epoch, inFlight: inFlight, progress: progress)))
                }
            }
        }
    }

    /// Closing the connection is what makes this safe: HELLOs and PINGs would pile up in it, and a router that was only
    /// paused would register the worker once for each.
    private mutating func giveUp(_ router: Router) {
        forget(router)
        links[router].state = .disconnected
        leaveIfGone(router)
        if links[router].isUsed { actions.append(.reconnect(router)) }
    }
}
