package import BifronsWire

/// The worker's whole mind, without a socket, a clock or a thread.
///
/// The way of a job, told once:
///
///     locator   LOCATE ─ waiting, the earliest deadline first ─ a lane, one thread to itself ─ CROPS or FAIL
///     network   SCORE ─ waiting, the earliest deadline first ─ its crops in one batch or more ─ SCORE or FAIL
///
/// Whoever drives the core tells it what happened and when (`handle`), performs the actions that come back, in their
/// order, and calls again with `.deadline` when `nextDeadline` is reached. The core promises: every job is answered exactly
/// once, or dropped together with its router; never more than `lanes` pictures are cut at once, besides `slowLanes` that
/// have left their lane; at most two batches are with the thread that scores, none of more than `maxBatch` crops; the
/// credit of all routers together never exceeds `credit` and the slow pictures, unless there are more routers than that; no
/// router that is connected is left.
package struct WorkerCore: Sendable {
    /// Names a router by its place in the worker's list of routers. The place of one that was left may be given to another.
    package typealias Router = Int
    /// Names what came behind a job between the core and its driver, who keeps the bytes: a picture until `.locate`, crops to
    /// be scored until `.release`. The crops that were cut out of a picture take its name, from `.located` until `.send` or
    /// `.release`.
    package typealias Token = Int

    package enum Event: Sendable {
        /// The router is in the list, from now on or again. A new one is being connected to, in the first free place or behind
        /// the last one.
        case listed(Router)
        /// The router is not in the list any more; `.leave` follows when it is not connected either.
        case unlisted(Router)
        /// The connection to a router is ready for messages.
        case connected(Router)
        case disconnected(Router)
        /// A message, and the first frame behind it.
        case received(Router, RouterMessage, Payload?)
        /// A message of another version of the worker protocol.
        case receivedForeign(Router, version: UInt8)
        /// A thread reports.
        case computed(Outcome)
        /// `nextDeadline` was reached, and everything that had arrived has been handled.
        ///
        /// `progress` changes as long as the threads get on: when they hang, it does not. `computed` says for how long each
        /// picture that is being cut has had a processor.
        case deadline(progress: UInt64, computed: [Token: Duration] = [:])
        /// Take no new jobs, answer those in hand, say BYE; `.finished` follows within the drain time.
        case drain
        /// Say BYE at once; the routers give the jobs in hand to other workers.
        case abandon
    }

    package enum Action: Equatable, Sendable {
        /// With a CROPS goes the token of the crops that are to follow it.
        case send(Router, WorkerMessage, crops: Token? = nil)
        /// Cut crops of these specifications out of the picture, on a thread that is free. Reported back by `.located` or
        /// `.failed`.
        case locate(Token, [CropSpecification])
        /// The picture is slow: the thread that has it shall make way for others until it is done, and another one takes its
        /// place.
        case demote(Token)
        /// Score these crops together, after the batch before. Reported back by `.scored`.
        case score(Batch)
        /// The payload will not be needed.
        case release(Token)
        /// The router does not answer: close the connection, with all that is queued in it, and connect again.
        case reconnect(Router)
        /// The router is gone: close the connection; its place is free.
        case leave(Router)
        /// The router will never take this worker, and why; `.finished` follows.
        case refused(Router, reason: String)
        case finished
    }

    /// What came behind a message.
    package struct Payload: Equatable, Sendable {
        package var token: Token
        package var byteCount: Int

        package init(token: Token, byteCount: Int) {
            self.token = token
            self.byteCount = byteCount
        }
    }

    /// Crops that are scored together.
    package struct Batch: Equatable, Sendable {
        /// Some crops of one job.
        package struct Part: Equatable, Sendable {
            package var token: Token
            /// Which of the payload's.
            package var crops: Range<Int>

            package init(token: Token, crops: Range<Int>) {
                self.token = token
                self.crops = crops
            }
        }

        /// Names the batch.
        package var number: Int
        package var parts: [Part]

        package init(number: Int, parts: [Part]) {
            self.number = number
            self.parts = parts
        }

        /// How many there are.
        package var crops: Int { parts.reduce(0) { $0 + $1.crops.count } }
    }

    /// What a thread made of what it was told to do.
    package enum Outcome: Sendable {
        /// Crops were cut out of a picture.
        case located(Token, Located)
        /// No crops can be cut out of a picture, and why.
        case failed(Token, WireError)
        /// A batch was scored: for each of its crops, in their order, what the network says, or why it says nothing.
        case scored(batch: Int, [Result<WorkerMessage.CropScore, WireError>])
    }

    /// What was found in a picture and cut out of it; its crops are with the driver.
    package struct Located: Equatable, Sendable {
        package var faces: [WorkerMessage.Face]
        /// How many faces were found, cut out or not; nil when no specification asked for faces.
        package var facesFound: Int?
        package var image: ImageInformation
        /// One for each specification, in their order.
        package var sets: [WorkerMessage.CropSet]

        package init(
            faces: [WorkerMessage.Face], facesFound: Int?, image: ImageInformation, sets: [WorkerMessage.CropSet]
        ) {
            self.faces = faces
            self.facesFound = facesFound
            self.image = image
            self.sets = sets
        }
    }

    let configuration: Configuration
    var links: [Link]
    var stage: any WorkerStage
    /// How many of them were reported so far.
    var outcomes: UInt64 = 0
    var drainEnds: Instant?
    var isFinished = false
    /// What the event in hand leads to.
    var actions: [Action] = []

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        links = Array(repeating: Link(patience: configuration.welcomePatience), count: configuration.routers)
        switch configuration.hello.role {
        case .locator: stage = LocatingStage(configuration)
        case .network: stage = ScoringStage(configuration)
        }
    }

    /// Jobs without an answer, and those that nobody waits for but that are still being computed.
    package var jobsInHand: Int { stage.jobsInHand }

    /// When `.deadline` is due, if nothing else happens before; nil if there is nothing to wait for.
    package var nextDeadline: Instant? {
        if isFinished { return nil }
        var next = drainEnds
        func consider(_ instant: Instant?) {
            if let instant { next = next.map { min($0, instant) } ?? instant }
        }
        consider(stage.nextDeadline)
        for link in links where link.isUsed {
            consider(link.nextDeadline(canGreet: canGreet(since:), configuration.missedHeartbeats))
        }
        return next
    }

    package mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        actions = []
        if isFinished {
            if case .received(_, _, let payload?) = event { actions.append(.release(payload.token)) }
            if case .computed(.located(let token, _)) = event { actions.append(.release(token)) }
            return actions
        }
        switch event {
        case .listed(let router): list(router)
        case .unlisted(let router):
            links[router].isListed = false
            leaveIfGone(router)
        case .connected(let router):
            forget(router)
            links[router].state = .connected(helloAt: now, outcomes: outcomes)
        case .disconnected(let router):
            forget(router)
            links[router].state = .disconnected
            leaveIfGone(router)
        case .received(let router, let message, let payload): receive(message, payload, from: router, now)
        case .receivedForeign(let router, let version): receiveForeign(version, from: router)
        case .computed(let outcome): take(outcome, now)
        case .deadline(let progress, let computed):
            actions += stage.keepTime(computed, now)
            keepTime(progress, now)
        case .drain: drain(now)
        case .abandon: leave()
        }
        if isFinished { return actions }
        failOverdue(now)
        greet(now)
        actions += stage.start(now)
        shareCredit()
        if drainEnds != nil, jobsInHand == 0, !stage.isComputing { leave() }
        return actions
    }

    // MARK: The end

    private mutating func drain(_ now: Instant) {
        guard drainEnds == nil else { return }
        drainEnds = now + configuration.drainTime
        for (router, link) in links.enumerated() {
            if let epoch = link.epoch { actions.append(.send(router, .drain(epoch: epoch))) }
        }
    }

    mutating func leave() {
        guard !isFinished else { return }
        isFinished = true
        for job in stage.removeAll() { actions.append(.release(job.token)) }
        for (router, link) in links.enumerated() {
            if let epoch = link.epoch { actions.append(.send(router, .bye(epoch: epoch))) }
        }
        actions.append(.finished)
    }
}
