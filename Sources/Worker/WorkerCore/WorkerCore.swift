package import BifronsWire

/// The logic of a worker as a state machine, without sockets, clock or threads.
///
/// The path of a job:
///
///     locator   LOCATE ─ waiting, the earliest deadline first ─ a lane, one thread to itself ─ CROPS or FAIL
///     network   SCORE ─ waiting, the earliest deadline first ─ its crops in one batch or more ─ SCORE or FAIL
///     evidence  EXAMINE ─ waiting, the earliest deadline first ─ a lane, one thread to itself ─ EVIDENCE or FAIL
///
/// The driver reports each event and its time (``handle(_:at:)``), performs the returned actions in order, and reports
/// `.deadline` when ``nextDeadline`` is reached. The core guarantees:
///
/// - Every job is answered exactly once, or dropped together with its router.
/// - At most `lanes` images are processed at once, plus `slowLanes` that have left their lane.
/// - The scoring thread holds at most two batches, each of at most `maxBatch` crops.
/// - The total credit of all routers never exceeds `credit` plus the slow images, unless the routers outnumber that:
///   each is granted at least one job.
/// - A connected router is never left.
package struct WorkerCore: Sendable {
    /// A router's index in the worker's list of routers. The index of a router that was left may be reused.
    package typealias Router = Int
    /// Identifies a job's payload, whose bytes the driver keeps: an image until `.locate` or `.examine`, crops to score
    /// until `.release`. The crops cut out of an image take over its token, from `.located` until `.send` or
    /// `.release`.
    package typealias Token = Int

    /// What happens to a worker.
    package enum Event: Sendable {
        /// The router is listed, for the first time or again. The driver connects to a new one, which takes the first
        /// free index or a new one at the end.
        case listed(Router)
        /// The router is no longer listed. `.leave` follows once it is not connected either.
        case unlisted(Router)
        /// The connection to a router is ready for messages.
        case connected(Router)
        /// The connection to a router has ended.
        case disconnected(Router)
        /// A message arrived, with the first frame behind it, if any, as its payload.
        case received(Router, RouterMessage, Payload?)
        /// A message of another version of the worker protocol arrived.
        case receivedForeign(Router, version: UInt8)
        /// A thread reports the outcome of its work.
        case computed(Outcome)
        /// ``nextDeadline`` was reached, and all messages that had arrived were handled first.
        ///
        /// `progress` is a counter that changes while the threads work and stops when they hang. `computed` is the
        /// processor time that each image in work has used.
        case deadline(progress: UInt64, computed: [Token: Duration] = [:])
        /// What the worker's evidence depends on has changed. The worker registers with this digest anew.
        case redescribed(digest: String)
        /// Accept no new jobs, answer those in flight, then say BYE. `.finished` follows within the drain time.
        case drain
        /// Say BYE at once. The routers give the jobs in flight to other workers.
        case abandon
    }

    /// What the driver does for the core.
    package enum Action: Equatable, Sendable {
        /// Send a message. A CROPS carries the token of the crops to append to it.
        case send(Router, WorkerMessage, crops: Token? = nil)
        /// Cut crops of these specifications out of the image, on a free thread. The outcome is `.located` or
        /// `.failed`.
        case locate(Token, [CropSpecification])
        /// Find evidence about the image, on a free thread. The outcome is `.examined` or `.failed`.
        case examine(Token)
        /// The image is slow: lower the priority of its thread until it is done, and let another thread take its place.
        case demote(Token)
        /// Score these crops together, after the batch before. The outcome is `.scored`.
        case score(Batch)
        /// Free the payload; it is no longer needed.
        case release(Token)
        /// The router does not answer: close the connection, discard all messages queued in it, and connect again.
        case reconnect(Router)
        /// The router is gone: close the connection. Its index is free.
        case leave(Router)
        /// The router will never accept this worker, for this reason. `.finished` follows.
        case refused(Router, reason: String)
        /// The core is finished. From now on it only releases payloads.
        case finished
    }

    /// The bytes behind a message, which the driver keeps.
    package struct Payload: Equatable, Sendable {
        package var token: Token
        package var byteCount: Int

        package init(token: Token, byteCount: Int) {
            self.token = token
            self.byteCount = byteCount
        }
    }

    /// A set of crops that are scored together.
    package struct Batch: Equatable, Sendable {
        /// The crops of one job in a batch.
        package struct Part: Equatable, Sendable {
            package var token: Token
            /// The indices of the crops in the job's payload.
            package var crops: Range<Int>

            package init(token: Token, crops: Range<Int>) {
                self.token = token
                self.crops = crops
            }
        }

        /// Identifies the batch.
        package var number: Int
        package var parts: [Part]

        package init(number: Int, parts: [Part]) {
            self.number = number
            self.parts = parts
        }

        /// The number of crops in the batch.
        package var crops: Int { parts.reduce(0) { $0 + $1.crops.count } }
    }

    /// What a thread made of a `.locate`, an `.examine` or a `.score`.
    package enum Outcome: Sendable {
        /// Crops were cut out of an image.
        case located(Token, Located)
        /// This evidence was found about an image.
        case examined(Token, EvidenceReport)
        /// No crops can be cut out of an image, or no evidence can be found, for this reason.
        case failed(Token, WireError)
        /// A batch was scored. The results are in the order of its crops: a score, or the reason why the network gave
        /// none.
        case scored(batch: Int, [Result<WorkerMessage.CropScore, WireError>])
    }

    /// What was found in an image. The driver keeps the crops themselves.
    package struct Located: Equatable, Sendable {
        package var faces: [WorkerMessage.Face]
        /// The number of faces found, cut out or not; nil when no specification asked for faces.
        package var facesFound: Int?
        package var image: ImageInformation
        /// One set for each specification, in the same order.
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

    private(set) var configuration: Configuration
    /// How often ``Event/redescribed(digest:)`` has changed the HELLO.
    private(set) var descriptions = 0
    var links: [Link]
    var stage: any WorkerStage
    /// The number of expected outcomes reported so far.
    var outcomes: UInt64 = 0
    var drainEnds: Instant?
    var isFinished = false
    /// The actions that follow from the event being handled.
    var actions: [Action] = []

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        links = Array(repeating: Link(patience: configuration.welcomePatience), count: configuration.routers)
        switch configuration.hello.role {
        case .locator, .evidence: stage = LocatingStage(configuration)
        case .network: stage = ScoringStage(configuration)
        }
    }

    /// The number of jobs without an answer, plus those that nobody waits for but that are still being computed.
    package var jobsInHand: Int { stage.jobsInHand }

    /// When to report `.deadline` unless another event comes first; nil if nothing is due.
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

    /// Handles an event and returns the actions to perform, in order. After `.finished` it only releases payloads.
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
        case .redescribed(let digest):
            guard digest != configuration.hello.digest else { break }
            configuration.hello.digest = digest
            descriptions += 1
            for router in links.indices { reintroduce(router, now) }
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
