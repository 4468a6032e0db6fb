public import BifronsWire
import FoundationEssentials
import Reactor
import Synchronization

// Any request of the protocol, and what its answer says.

extension BifronsClient {
    /// Sends any request and waits for its answer, for who speaks the protocol himself, as a gateway does. With several
    /// routers, `fetch` and `cancel` ask all of them: the answer is of the one that knows the job, and 404 only if every router
    /// says so.
    /// - Parameters:
    ///   - header: goes out with what is left of the budget, and with an id if it has none. A budget that the protocol
    ///     has not, see `Limits.budgetMilliseconds`, is taken for the nearest one that it has.
    ///   - image: the image frame; nil for none.
    /// - Returns: the result frame.
    /// - Throws: as ``classify(_:_:patience:)``.
    public func request(_ header: RequestHeader, image: [UInt8]?) async throws -> [UInt8] {
        let isOfAJob = header.verb == .fetch || header.verb == .cancel
        return isOfAJob && routers.count > 1
            ? try await requestOfJob(header) : try await request(header, image: image, router: nil)
    }

    /// Sends any request to one router and to no other, and waits for its answer.
    /// - Parameters:
    ///   - header: as of ``request(_:image:)``.
    ///   - image: the image frame; nil for none.
    ///   - router: where the router stands in ``routers``; nil: any of them.
    /// - Returns: the result frame.
    /// - Throws: as ``classify(_:_:patience:)``.
    public func request(_ header: RequestHeader, image: [UInt8]?, router: Int?) async throws -> [UInt8] {
        var header = header
        let budgets = Limits.budgetMilliseconds
        header.budgetMilliseconds = min(max(header.budgetMilliseconds, budgets.lowerBound), budgets.upperBound)
        return try await request(
            header, image: image, router: router, connectTimeout: options.connectTimeout,
            answerTimeout: .milliseconds(header.budgetMilliseconds) + options.grace)
    }

    /// Asks every router for a job, which is with one of them at most.
    /// - Returns: the answer of the one that knows it, as soon as that is there; otherwise one that says why it is not known.
    /// - Throws: ``ClientError`` if none knows it and one could not be asked: the job may be there.
    private func requestOfJob(_ header: RequestHeader) async throws -> [UInt8] {
        try await withThrowingTaskGroup(of: (router: Int, answer: Result<JobAnswer, ClientError>).self) { group in
            for router in routers.indices {
                group.addTask {
                    do {
                        let bytes = try await self.request(header, image: nil, router: router)
                        return (router, .success((bytes, try self.outcome(of: bytes).error?.code)))
                    } catch let error as ClientError {
                        return (router, .failure(error))
                    }
                }
            }
            var unknown: [UInt8]?
            var unsure: [UInt8]?
            var failures: [Int: ClientError] = [:]
            for try await (router, answer) in group {
                switch answer {
                case .success((let bytes, "unknown_job")): unknown = bytes
                // The router may have the job, and cannot look now.
                case .success((let bytes, "journal_unavailable")), .success((let bytes, "queue_full")): unsure = bytes
                case .success((let bytes, _)):
                    group.cancelAll()
                    return bytes
                case .failure(let error): failures[router] = error
                }
            }
            if let answer = unsure ?? (failures.isEmpty ? unknown : nil) { return answer }
            let codes = failures.values.map(\.code)
            let missing = failures.keys.sorted().map { routers[$0] }.joined(separator: ", ")
            throw ClientError(
                codes.contains(.noRouter) ? .noRouter : codes.first ?? .failed,
                "the job '\(header.id ?? "")' may be with a router that did not answer: \(missing); no other knows it")
        }
    }

    private typealias JobAnswer = (bytes: [UInt8], code: String?)

    func request(
        _ header: RequestHeader, image: [UInt8]?, router: Int?, connectTimeout: Duration, answerTimeout: Duration
    ) async throws -> [UInt8] {
        try Task.checkCancellation()
        let number = numbers.add(1, ordering: .relaxed).newValue
        var header = header
        header.id = header.id ?? "\(idPrefix)-\(number)"
        let outcome: CallOutcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let call = Call(
                    number: number, header: header, image: image, router: router, start: MonotonicClock.now(),
                    connectTimeout: connectTimeout, answerTimeout: answerTimeout,
                    end: { continuation.resume(returning: $0) })
                let isOpen = gate.pass { mailbox.post(.submit(call)) }
                if !isOpen { continuation.resume(returning: .failed(.closed)) }
                // The handler below may have run before the call was in the mailbox.
                if Task.isCancelled { gate.pass { mailbox.post(.cancel(number)) } }
            }
        } onCancel: {
            gate.pass { mailbox.post(.cancel(number)) }
        }
        switch outcome {
        case .answered(let bytes): return bytes
        case .cancelled: throw CancellationError()
        case .failed(let error): throw error
        }
    }

    /// What all answers have in common.
    struct Outcome: Decodable {
        let status: Status
        let error: ResultDocument.Problem?
    }

    func outcome(of bytes: [UInt8]) throws -> Outcome {
        try decode(bytes) { try JSONDecoder().decode(Outcome.self, from: Data(bytes)) }
    }

    func decode<Value>(_ bytes: [UInt8], _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            throw ClientError(
                .malformedAnswer,
                "the router's answer cannot be read; use the same version of router and client (it begins with "
                    + "'\(String(decoding: bytes.prefix(64), as: UTF8.self))')")
        }
    }
}
