internal import BifronsWire

extension WorkerCore {
    private var routers: Int { links.count { $0.isUsed } }

    mutating func list(_ router: Router) {
        if router == links.count { links.append(Link(patience: configuration.welcomePatience)) }
        if !links[router].isUsed { links[router] = Link(patience: configuration.welcomePatience) }
        links[router].isListed = true
    }

    /// Leaves a router that is neither listed nor connected. A connected router stays even if a list omits it, so a
    /// temporary gap in a list does no harm.
    mutating func leaveIfGone(_ router: Router) {
        guard links[router].isUsed, !links[router].isListed, case .disconnected = links[router].state else { return }
        links[router].isUsed = false
        actions.append(.leave(router))
    }

    /// Returns whether a HELLO may be sent. While something is being computed, a HELLO waits for the next outcome: a
    /// router may have given the worker up because its threads hang, and must not send it more jobs.
    ///
    /// - Parameter connection: The count of outcomes when the router was connected.
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
            // If one router is listed under two addresses, it must not take one connection for the successor of the
            // other.
            hello.bootID &+= UInt64(router)
            links[router].state = .greeted(until: now + links[router].patience, credit: credit)
            links[router].descriptions = descriptions
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
            case .locate, .score, .examine: return accept(message, payload, from: router, registration.epoch, now)
            case .welcome, .pong, .resync, .bye: break
            }
        case (.greeted(_, let granted), .welcome), (.greeted(_, let granted), .bye): credit = granted
        default:
            // These messages were sent before the registration ended: a job that another worker has by now, or a RESYNC
            // that crossed our HELLO.
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
        case .pong, .locate, .score, .examine: break
        }
    }

    /// Completes the registration with a router; says BYE instead if the worker drains.
    ///
    /// - Parameter credit: The credit that the HELLO granted. The share may differ by now, since routers came or left.
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
        reintroduce(router, now)
    }

    /// Registers anew with a router whose registration has an old description. The router gives the jobs in hand to
    /// this worker again, or to another. While the worker drains, the registration stays as it is.
    mutating func reintroduce(_ router: Router, _ now: Instant) {
        guard drainEnds == nil, links[router].isRegistered, links[router].descriptions != descriptions else { return }
        forget(router)
        links[router].state = .connected(helloAt: now, outcomes: outcomes)
    }

    /// Ends a registration and drops its jobs. The router has given them to another worker, or it is gone together with
    /// its clients.
    mutating func forget(_ router: Router) {
        guard case .registered = links[router].state else { return }
        links[router].state = .disconnected
        for job in stage.remove(of: router) { actions.append(.release(job.token)) }
    }

    /// Handles a message of another protocol version. The router runs another release and the two cannot work together,
    /// so the worker stops, unless it has not greeted that router yet.
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

    /// Gives up a silent router and reconnects. The connection must be closed: HELLOs and PINGs would pile up in it,
    /// and a router that was only suspended would register the worker once for each.
    private mutating func giveUp(_ router: Router) {
        forget(router)
        links[router].state = .disconnected
        leaveIfGone(router)
        if links[router].isUsed { actions.append(.reconnect(router)) }
    }
}
