import BifronsWire
import BifronsZeroMQ
import Reactor

/// The loop of the client's thread, the only one that uses the sockets.
///
/// Each router has its own DEALER socket, so that the loop knows which calls a lost connection affects.
final class ClientLoop {
    private let options: BifronsClient.Options
    private let mailbox: Mailbox<Mail>
    private let routers: [Connection]
    private var ledger: CallLedger
    private var poll = PollSet()
    private let mailIndex: Int
    private let message = Message()

    private final class Connection {
        let endpoint: String
        let socket: Socket
        let monitor: Monitor
        var socketIndex = 0
        var monitorIndex = 0
        /// Whether the socket is connected.
        var isReady = false
        /// When to connect again, after a connection has ended or a handshake was refused permanently; nil if libzmq
        /// reconnects by itself.
        var connectAt: Instant?
        /// Why the last handshake failed; nil if it succeeded, or if nobody listens any more.
        private(set) var failure: HandshakeFailure?

        init(_ endpoint: String, _ context: Context, _ curve: Curve.Role) throws(ZeroMQError) {
            self.endpoint = endpoint
            var options = SocketOptions()
            options.ipv6 = endpoint.contains("[")
            options.curve = curve
            options.reconnectMaximum = .seconds(1)
            options.heartbeat = .init(interval: .seconds(2), timeout: .seconds(6))
            socket = try Socket(.dealer, context: context, options: options)
            monitor = try socket.monitor([
                .connected, .handshakeSucceeded, .disconnected, .closed, .handshakeFailedNoDetail,
                .handshakeFailedProtocol, .handshakeFailedAuthentication,
            ])
            try socket.connect(endpoint)
        }

        /// Reads the monitor's events and updates the state of the connection.
        /// - Returns: whether an established connection has ended.
        func follow() throws(ZeroMQError) -> Bool {
            var hasEnded = false
            while let event = try monitor.receive() {
                hasEnded = hasEnded || isReady && event.kind == .disconnected
                isReady = event.kind == .handshakeSucceeded
                if isReady || event.kind == .closed { failure = nil }
                // An event that says less than the known failure is ignored.
                if let new = HandshakeFailure(event), failure.map({ new.weight > $0.weight }) ?? true { failure = new }
            }
            return hasEnded
        }

        /// Disconnects, which discards the messages that are queued for the router. A new connection would deliver them
        /// in addition to the calls that are then sent again.
        func disconnect(until instant: Instant) throws(ZeroMQError) {
            try socket.disconnect(endpoint)
            isReady = false
            connectAt = instant
        }

        /// Schedules a new connection after a refusal that libzmq does not retry: the router may get other keys.
        func dialAgain(at instant: Instant) throws(ZeroMQError) {
            guard failure?.isFinalForZeroMQ == true, connectAt == nil else { return }
            try disconnect(until: instant)
        }

        func connectIfDue() throws(ZeroMQError) {
            guard let connectAt, connectAt <= MonotonicClock.now() else { return }
            try socket.connect(endpoint)
            self.connectAt = nil
        }
    }

    /// The pause between a refusal and the next attempt.
    private static let refusalPause = Duration.seconds(1)

    /// The pause between the end of a connection and the next attempt: the same as libzmq's.
    private static let reconnectPause = SocketOptions().reconnectMinimum

    /// The frames of an answer: our envelope of call number and delimiter, magic, result.
    private static let answerFrames = 4

    init(_ options: BifronsClient.Options, mailbox: Mailbox<Mail>) throws {
        self.options = options
        self.mailbox = mailbox
        let context = try Context()
        routers = try options.routers.map { try Connection($0, context, options.curve) }
        ledger = CallLedger(routers: routers.count)
        mailIndex = poll.add(descriptor: mailbox.descriptor)
        for router in routers {
            router.socketIndex = poll.add(router.socket)
            router.monitorIndex = poll.add(router.monitor)
        }
    }

    /// Serves calls until the client is closed or ZeroMQ fails.
    /// - Returns: the error with which the remaining calls must end.
    func run() -> ClientError {
        do {
            while true {
                let due = routers.compactMap(\.connectAt).reduce(ledger.nextDue) { min($0 ?? $1, $1) }
                _ = try poll.wait(milliseconds: MonotonicClock.now().pollMilliseconds(until: due))
                for router in routers { try router.connectIfDue() }
                for (index, router) in routers.enumerated() {
                    if poll.isReadable(router.socketIndex) { try receive(from: router) }
                    if poll.isReadable(router.monitorIndex) { try follow(router, index) }
                }
                if poll.isReadable(mailIndex) {
                    for mail in mailbox.drain() {
                        switch mail {
                        case .submit(let call): ledger.add(call, at: MonotonicClock.now())
                        case .cancel(let number): try cancel(number)
                        case .close: return .closed
                        }
                    }
                }
                expire()
                try ledger.dispatch { call, inFlight throws(ZeroMQError) in try send(call, inFlight) }
                for (index, router) in routers.enumerated() {
                    let isWanted = router.isReady && ledger.hasWaiting(for: index)
                    poll.setInterest(isWanted ? [.readable, .writable] : .readable, at: router.socketIndex)
                }
            }
        } catch {
            return ClientError(.failed, "\(error)")
        }
    }

    /// Ends all calls that are in flight or still in the mailbox.
    func endAll(with error: ClientError) {
        for call in ledger.removeAll() { call.end(.failed(error)) }
        for case .submit(let call) in mailbox.drain() { call.end(.failed(error)) }
    }

    /// Updates whether a router is connected, and requeues its calls if its connection has ended.
    private func follow(_ router: Connection, _ index: Int) throws(ZeroMQError) {
        guard try router.follow() else {
            return try router.dialAgain(at: MonotonicClock.now() + Self.refusalPause)
        }
        // Answers that arrived before the connection ended are received first, so that their calls are not sent again.
        try receive(from: router)
        let now = MonotonicClock.now()
        ledger.lose(router: index, at: now)
        try router.disconnect(until: now + Self.reconnectPause)
    }

    /// Sends a call to the first of its candidate routers that accepts it.
    /// - Returns: the router's index; nil if no router accepts the call now.
    private func send(_ call: Call, _ inFlight: [Int]) throws(ZeroMQError) -> Int? {
        var header = call.header
        let spent = Int((MonotonicClock.now() - call.start).milliseconds)
        header.budgetMilliseconds = max(1, header.budgetMilliseconds - spent)
        fill(number: call.number, header, image: call.image)
        for index in candidates(for: call, inFlight) {
            if case .sent = try routers[index].socket.send(message) { return index }
        }
        return nil
    }

    /// Returns the connected routers that may get a call, the preferred one first.
    private func candidates(for call: Call, _ inFlight: [Int]) -> [Int] {
        let ready = routers.indices.filter { routers[$0].isReady }
        if let router = call.router { return ready.filter { $0 == router } }
        if let key = call.header.idempotencyKey {
            // A router knows only the idempotency keys that it has received itself.
            let weights = routers.map { Rendezvous.weight(of: $0.endpoint, for: key) }
            return ready.sorted { weights[$0] > weights[$1] }
        }
        switch call.header.verb {
        // Reports of changing routers would show jumping numbers, so always ask the first that is connected.
        case .status, .history, .events, .drift, .models: return ready
        default: return ready.sorted { inFlight[$0] < inFlight[$1] }
        }
    }

    private func fill(number: UInt64, _ header: RequestHeader, image: [UInt8]?) {
        message.removeAll()
        withUnsafeBytes(of: number.littleEndian) { message.append($0) }
        message.appendEmpty()
        message.append(Limits.magic)
        message.append(header.encoded())
        if let image { message.append(image) }
    }

    private func receive(from router: Connection) throws(ZeroMQError) {
        while try router.socket.receive(into: message, maxFrames: Self.answerFrames) {
            // Other messages are dropped, and so is the second answer to a call that was sent twice.
            guard message.count == Self.answerFrames, message.droppedFrames == 0,
                message.byteCount(at: 0) == MemoryLayout<UInt64>.size, message.byteCount(at: 1) == 0
            else { continue }
            let number = message.withBytes(at: 0) { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
            ledger.remove(number)?.call.end(.answered(message.array(at: 3)))
        }
    }

    private func cancel(_ number: UInt64) throws(ZeroMQError) {
        guard let (call, place) = ledger.remove(number) else { return }
        call.end(.cancelled)
        guard case .sent(let router) = place, call.header.verb.isJob else { return }
        // The router would cancel the latest job of this id, which is another one.
        guard !ledger.hasJob(like: call.header) else { return }
        // The answers to this and to the job itself match no call and are dropped. So this need not be delivered
        // reliably.
        var header = RequestHeader(verb: .cancel, id: call.header.id)
        header.owner = call.header.owner
        fill(number: number, header, image: nil)
        _ = try routers[router].socket.send(message)
    }

    private func expire() {
        for (call, place) in ledger.expired(at: MonotonicClock.now()) {
            switch place {
            case .waiting:
                if let refusal = refusal(of: call) {
                    call.end(.failed(refusal))
                    continue
                }
                call.end(
                    .failed(
                        ClientError(
                            .noRouter,
                            "no router answered at \(endpoints(of: call)) within "
                                + "\(Int(min(call.connectTimeout, call.answerTimeout).milliseconds)) ms; "
                                + "start one with 'bifrons up' or name another with --router")))
            case .sent(let router):
                call.end(
                    .failed(
                        ClientError(
                            .noAnswer,
                            "the router at \(routers[router].endpoint) did not answer within "
                                + "\(Int(call.answerTimeout.milliseconds)) ms; see whether it is well with 'bifrons status'"
                        )))
            }
        }
    }

    /// Returns the error of the first router that refused the client, among those that may get the call.
    private func refusal(of call: Call) -> ClientError? {
        let asked = call.router.map { [routers[$0]] } ?? routers
        return asked.lazy.compactMap { [options] in $0.failure?.error(at: $0.endpoint, hasKeys: options.hasKeys) }.first
    }

    private func endpoints(of call: Call) -> String {
        call.router.map { routers[$0].endpoint } ?? options.routers.joined(separator: ", ")
    }
}
