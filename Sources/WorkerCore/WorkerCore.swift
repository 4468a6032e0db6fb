public import Wire

/// The worker's whole mind, without a socket, a clock or a thread.
///
/// The way of a job, told once:
///
///     JOB ─ waiting, the earliest deadline first ─ batch ─ inference thread ─ SCORE or FAIL
///
/// Whoever drives the core tells it what happened and when (`handle`), performs the actions that come back, in their
/// order, and calls again with `.deadline` when `nextDeadline` is reached. The core promises: every job is answered exactly
/// once, or dropped together with its router; one batch at a time, never more than `maxBatch` pictures; the credit of all
/// routers together never exceeds `credit`, unless there are more routers than that; no router that is connected is left.
public struct WorkerCore {
    /// Names a router by its place in the worker's list of routers. The place of one that was left may be given to another.
    public typealias Router = Int
    /// Names a picture between the core and its driver, who keeps its bytes under it until `.compute` or `.release`.
    public typealias Token = Int

    public struct Configuration: Sendable {
        /// What the worker says of itself; its `credit` is filled in by the core.
        public var hello: WorkerMessage.Hello
        /// How many routers are in the list from the start.
        public var routers: Int
        /// Pictures that are scored together at most.
        public var maxBatch: Int
        /// Jobs in hand at most, shared among the routers; at least one each.
        public var credit: Int
        /// How long jobs in hand may take after `.drain`.
        public var drainTime = Duration.seconds(10)
        /// How long a HELLO may stay without an answer before the connection is given up. Doubles with every try.
        public var welcomePatience = Duration.seconds(2)
        public var welcomePatienceMaximum = Duration.seconds(30)
        /// The pause before the next HELLO to a router that did not accept the last.
        public var refusalPause = Duration.seconds(5)
        /// Silent for so many heartbeats, a router is lost.
        public var missedHeartbeats = 3

        /// - Parameter credit: nil: two batches, so that one waits while the other is computed.
        public init(hello: WorkerMessage.Hello, routers: Int = 1, maxBatch: Int = 8, credit: Int? = nil) {
            precondition(routers >= 0 && maxBatch > 0)
            self.hello = hello
            self.routers = routers
            self.maxBatch = maxBatch
            self.credit = max(1, credit ?? 2 * maxBatch)
        }
    }

    public enum Event: Sendable {
        /// The router is in the list, from now on or again. A new one is being connected to, in the first free place or behind
        /// the last one.
        case listed(Router)
        /// The router is not in the list any more; `.leave` follows when it is not connected either.
        case unlisted(Router)
        /// The connection to a router is ready for messages.
        case connected(Router)
        case disconnected(Router)
        /// A message, and behind a JOB the picture it came with.
        case received(Router, RouterMessage, picture: Token?)
        /// The inference thread has a score for a picture of the batch in hand. `facesFound` is nil if it looks for none.
        case scored(Token, [WorkerMessage.Region], facesFound: Int? = nil, ImageInformation)
        /// A picture of the batch in hand has none, and why.
        case failed(Token, WireError)
        /// `nextDeadline` was reached, and everything that had arrived has been handled.
        ///
        /// `progress` counts the steps of the inference thread: one that is busy counts on, one that hangs does not.
        case deadline(progress: UInt64)
        /// Take no new jobs, answer those in hand, say BYE; `.finished` follows within the drain time.
        case drain
        /// Say BYE at once; the routers give the jobs in hand to other workers.
        case abandon
    }

    public enum Action: Equatable, Sendable {
        case send(Router, WorkerMessage)
        /// Score these pictures together on the inference thread, which is idle. Each is reported back, by `.scored` or
        /// `.failed`.
        case compute([Token])
        /// The picture will not be needed.
        case release(Token)
        /// The router does not answer: close the connection, with all that is queued in it, and connect again.
        case reconnect(Router)
        /// The router is gone: close the connection; its place is free.
        case leave(Router)
        case finished
    }

    let configuration: Configuration
    var links: [Link]
    var waiting = WaitingJobs()
    var batch = Batch()
    var pace = Pace()
    private var drainEnds: Instant?
    private var isFinished = false
    /// What the event in hand leads to.
    private var actions: [Action] = []

    public init(_ configuration: Configuration) {
        self.configuration = configuration
        links = Array(repeating: Link(patience: configuration.welcomePatience), count: configuration.routers)
    }

    /// Jobs without an answer, those of lost routers that are being computed included.
    public var jobsInHand: Int { waiting.count + batch.unfinished.count }

    /// When `.deadline` is due, if nothing else happens before; nil if there is nothing to wait for.
    public var nextDeadline: Instant? {
        if isFinished { return nil }
        var next = drainEnds
        func consider(_ instant: Instant?) {
            if let instant { next = next.map { min($0, instant) } ?? instant }
        }
        consider(waiting.earliestDeadline)
        for link in links where link.isUsed {
            consider(link.nextDeadline(canGreet: canGreet, configuration.missedHeartbeats))
        }
        return next
    }

    public mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        actions = []
        if isFinished {
            if case .received(_, _, let picture?) = event { actions.append(.release(picture)) }
            return actions
        }
        switch event {
        case .listed(let router): list(router)
        case .unlisted(let router):
            links[router].isListed = false
            leaveIfGone(router)
        case .connected(let router):
            forget(router)
            links[router].state = .connected(helloAt: now)
        case .disconnected(let router):
            forget(router)
            links[router].state = .disconnected
            leaveIfGone(router)
        case .received(let router, let message, let picture): receive(message, picture, from: router, now)
        case .scored(let token, let regions, let facesFound, let image):
            answer(token, now) { epoch, job, timings in
                .score(
                    .init(
                        epoch: epoch, job: job, regions: regions, facesFound: facesFound, image: image,
                        timings: timings))
            }
        case .failed(let token, let error):
            answer(token, now) { epoch, job, _ in .fail(.init(epoch: epoch, job: job, error: error)) }
        case .deadline(let progress): keepTime(progress, now)
        case .drain: drain(now)
        case .abandon: leave()
        }
        failOverdue(now)
        shareCredit()
        greet(now)
        startBatch(now)
        if drainEnds != nil, jobsInHand == 0 { leave() }
        return actions
    }

    // MARK: Routers

    private var routers: Int { links.count { $0.isUsed } }

    private mutating func list(_ router: Router) {
        if router == links.count { links.append(Link(patience: configuration.welcomePatience)) }
        if !links[router].isUsed { links[router] = Link(patience: configuration.welcomePatience) }
        links[router].isListed = true
    }

    /// As long as it is connected, it is there whatever a list says: a list with a gap costs nothing.
    private mutating func leaveIfGone(_ router: Router) {
        guard links[router].isUsed, !links[router].isListed, case .disconnected = links[router].state else { return }
        links[router].isUsed = false
        actions.append(.leave(router))
    }

    /// A HELLO waits for the batch in hand: a worker whose inference thread hangs, and that was given up for it, shall not
    /// be given more jobs.
    private var canGreet: Bool { batch.isEmpty && drainEnds == nil }

    private mutating func greet(_ now: Instant) {
        guard canGreet, !isFinished else { return }
        for router in links.indices {
            guard case .connected(let helloAt) = links[router].state, helloAt <= now else { continue }
            var hello = configuration.hello
            let credit = share(among: routers)
            hello.credit = UInt32(clamping: credit)
            // A router that is listed under two addresses shall not take the one connection for the other's successor.
            hello.bootID &+= UInt64(router)
            links[router].state = .greeted(until: now + links[router].patience, credit: credit)
            actions.append(.send(router, .hello(hello)))
        }
    }

    private mutating func receive(_ message: RouterMessage, _ picture: Token?, from router: Router, _ now: Instant) {
        var credit = 0
        switch (links[router].state, message) {
        case (.registered(var registration), _):
            registration.hear(at: now)
            credit = registration.credit
            links[router].state = .registered(registration)
            if case .job(let job) = message { return accept(job, picture, from: router, registration.epoch, now) }
        case (.greeted(_, let granted), .welcome), (.greeted(_, let granted), .bye): credit = granted
        default:
            // On its way when the registration ended: a job that another worker has by now, a RESYNC that crossed our HELLO.
            if let picture { actions.append(.release(picture)) }
            return
        }
        switch message {
        case .welcome(let epoch, let heartbeat): register(router, epoch, heartbeat, credit, now)
        case .resync:
            forget(router)
            links[router].state = .connected(helloAt: now)
        case .bye:
            forget(router)
            links[router].state = .connected(helloAt: now + configuration.refusalPause)
        case .pong, .job: break
        }
        if let picture { actions.append(.release(picture)) }
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
    private mutating func forget(_ router: Router) {
        guard case .registered = links[router].state else { return }
        links[router].state = .disconnected
        for job in waiting.remove(of: router) { actions.append(.release(job.token)) }
        batch.disown(router)
    }

    private func share(among routers: Int) -> Int {
        max(1, configuration.credit / max(1, routers))
    }

    private mutating func shareCredit() {
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

    // MARK: Jobs

    private mutating func accept(
        _ job: RouterMessage.Job, _ picture: Token?, from router: Router, _ epoch: UInt64, _ now: Instant
    ) {
        let refusal: WireError
        if let picture {
            if jobs(of: router) < configuration.credit {
                let deadline = now + .milliseconds(Int64(job.remainingMilliseconds))
                waiting.insert(Job(token: picture, router: router, id: job.job, received: now, deadline: deadline))
                return
            }
            actions.append(.release(picture))
            refusal = WireError(.unavailable, code: "over_credit", "the router sent more jobs than the worker's credit")
        } else {
            refusal = WireError(.unavailable, code: "job_incomplete", "the router sent a job without its image")
        }
        actions.append(.send(router, .fail(.init(epoch: epoch, job: job.job, error: refusal))))
    }

    private func jobs(of router: Router) -> Int {
        waiting.count(of: router) + batch.count(of: router)
    }

    private mutating func failOverdue(_ now: Instant) {
        for job in waiting.removeOverdue(now) {
            actions.append(.release(job.token))
            guard let epoch = links[job.router].epoch else { continue }
            let error = WireError(.timeout, code: "budget_spent", "the time budget was spent before the model was free")
            actions.append(.send(job.router, .fail(.init(epoch: epoch, job: job.id, error: error))))
        }
    }

    private mutating func startBatch(_ now: Instant) {
        guard batch.isEmpty, !waiting.isEmpty, !isFinished else { return }
        batch = Batch(waiting.take(atMost: configuration.maxBatch, pace, now), at: now)
        actions.append(.compute(batch.unfinished.map(\.token)))
    }

    private mutating func answer(
        _ token: Token, _ now: Instant,
        _ message: (_ epoch: UInt64, _ job: UInt64, WorkerMessage.Timings) -> WorkerMessage
    ) {
        guard let (job, isOwned) = batch.finish(token) else { return }
        if batch.isEmpty { pace.note(now - batch.started, pictures: batch.size) }
        guard isOwned, let epoch = links[job.router].epoch else { return }
        let timings = WorkerMessage.Timings(
            queueMicroseconds: (batch.started - job.received).microseconds,
            computeMicroseconds: (now - batch.started).microseconds,
            batch: UInt16(clamping: batch.size))
        actions.append(.send(job.router, message(epoch, job.id, timings)))
    }

    // MARK: Time

    private mutating func keepTime(_ progress: UInt64, _ now: Instant) {
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
                    let inFlight = UInt32(clamping: jobs(of: router))
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

    // MARK: The end

    private mutating func drain(_ now: Instant) {
        guard drainEnds == nil else { return }
        drainEnds = now + configuration.drainTime
        for (router, link) in links.enumerated() {
            if let epoch = link.epoch { actions.append(.send(router, .drain(epoch: epoch))) }
        }
    }

    private mutating func leave() {
        guard !isFinished else { return }
        isFinished = true
        for job in waiting.removeAll() { actions.append(.release(job.token)) }
        for (router, link) in links.enumerated() {
            if let epoch = link.epoch { actions.append(.send(router, .bye(epoch: epoch))) }
        }
        actions.append(.finished)
    }
}

extension Duration {
    fileprivate var microseconds: UInt32 { UInt32(clamping: nanoseconds / 1000) }
}
