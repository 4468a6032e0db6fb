internal import BifronsWire

/// What stands between the worker and one router.
struct Link {
    enum State {
        case disconnected
        /// Connected, and unknown to the router; the HELLO is due then, or when the threads have shown that they get on:
        /// by more outcomes than the given number, or because nothing is being computed.
        case connected(helloAt: Instant, outcomes: UInt64)
        /// HELLO is said, granting so much; the answer must come in time.
        case greeted(until: Instant, credit: Int)
        case registered(Registration)
    }

    struct Registration {
        /// A router that wanted more would get nothing else from us, and one that wanted fewer could not be told from a dead
        /// one.
        private static let heartbeats: ClosedRange<UInt32> = 10...60_000

        let epoch: UInt64
        let heartbeat: Duration
        private var lastHeard: Instant
        /// When the first PING was sent since then; nil if none was.
        private var asked: Instant?
        private(set) var nextPing: Instant
        /// The credit that the router was told.
        var credit: Int

        init(epoch: UInt64, heartbeatMilliseconds: UInt32, credit: Int, at now: Instant) {
            self.epoch = epoch
            let bounded = min(max(heartbeatMilliseconds, Self.heartbeats.lowerBound), Self.heartbeats.upperBound)
            heartbeat = .milliseconds(Int64(bounded))
            lastHeard = now
            nextPing = now + heartbeat
            self.credit = credit
        }

        mutating func hear(at now: Instant) {
            lastHeard = now
            asked = nil
        }

        mutating func ping(at now: Instant) {
            asked = asked ?? now
            nextPing = now + heartbeat
        }

        /// When the router is lost if nothing is heard of it until then. Nil as long as it was not asked: a worker that the
        /// system did not let run has itself been silent, and what it was sent has yet to arrive.
        func lostAt(_ missedHeartbeats: Int) -> Instant? {
            asked.map { max(lastHeard + heartbeat * missedHeartbeats, $0 + heartbeat * (missedHeartbeats - 1)) }
        }
    }

    /// Whether there is a router in this place.
    var isUsed = true
    /// Whether the router is in the list. One that is not is left when its connection ends.
    var isListed = true
    var state = State.disconnected
    /// How long the next HELLO may stay without an answer.
    var patience: Duration

    var epoch: UInt64? {
        if case .registered(let registration) = state { registration.epoch } else { nil }
    }

    var isRegistered: Bool { epoch != nil }

    /// - Parameter canGreet: whether a worker may say HELLO that was connected after so many outcomes.
    func nextDeadline(canGreet: (_ outcomes: UInt64) -> Bool, _ missedHeartbeats: Int) -> Instant? {
        switch state {
        case .disconnected: nil
        case .connected(let helloAt, let outcomes): canGreet(outcomes) ? helloAt : nil
        case .greeted(let until, _): until
        case .registered(let registration):
            min(registration.nextPing, registration.lostAt(missedHeartbeats) ?? registration.nextPing)
        }
    }
}
