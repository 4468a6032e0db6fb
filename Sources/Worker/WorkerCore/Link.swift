internal import BifronsWire

/// The worker's relation to one router: connection, registration and heartbeats.
struct Link {
    enum State {
        case disconnected
        /// Connected, but not yet registered. The HELLO is due at `helloAt`, and only once the threads have proved to
        /// work: the core's outcome count exceeds `outcomes`, or nothing is being computed.
        case connected(helloAt: Instant, outcomes: UInt64)
        /// HELLO was sent and granted `credit` jobs. The answer must arrive before `until`.
        case greeted(until: Instant, credit: Int)
        case registered(Registration)
    }

    struct Registration {
        /// The accepted heartbeat intervals in milliseconds. A shorter interval would keep the worker busy with
        /// heartbeats alone; with a longer one a live router could not be told from a dead one.
        private static let heartbeats: ClosedRange<UInt32> = 10...60_000

        let epoch: UInt64
        let heartbeat: Duration
        private var lastHeard: Instant
        /// When the first PING since `lastHeard` was sent; nil if none was.
        private var asked: Instant?
        private(set) var nextPing: Instant
        /// The credit that the router was last granted.
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

        /// Returns when the router counts as lost if it stays silent.
        ///
        /// Nil while no PING is unanswered: if the system suspended the worker, the worker itself was silent, and the
        /// router's messages have not been read yet.
        func lostAt(_ missedHeartbeats: Int) -> Instant? {
            asked.map { max(lastHeard + heartbeat * missedHeartbeats, $0 + heartbeat * (missedHeartbeats - 1)) }
        }
    }

    /// Whether a router occupies this place in the list.
    var isUsed = true
    /// Whether the router is in the list. The core leaves an unlisted router when its connection ends.
    var isListed = true
    var state = State.disconnected
    /// The core's count of descriptions when the last HELLO was sent.
    var descriptions = 0
    /// How long the next HELLO may wait for an answer.
    var patience: Duration

    var epoch: UInt64? {
        if case .registered(let registration) = state { registration.epoch } else { nil }
    }

    var isRegistered: Bool { epoch != nil }

    /// Returns when this link next needs attention; nil if it does not.
    ///
    /// - Parameters:
    ///     - canGreet: Whether the worker may send a HELLO on a connection that was made at this count of outcomes.
    ///     - missedHeartbeats: The number of missed heartbeats after which a router counts as lost.
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
