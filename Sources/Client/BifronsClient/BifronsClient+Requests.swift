public import BifronsWire
import FoundationEssentials
import Reactor
import Synchronization

// Sending any request of the protocol, and decoding its answer.

extension BifronsClient {
    /// Sends any request of the client protocol and waits for its answer. A gateway uses this, for example. With
    /// several routers, verbs about one job or one decision ask all of them: the answer is that of the router that knows
    /// the job or the decision, and is 404 only if every router says so.
    /// - Parameters:
    ///   - header: the request's header. It is sent with the remaining budget, and with a generated id if it has none.
    ///     A budget outside `Limits.budgetMilliseconds` is clamped to that range.
    ///   - image: the image frame; nil for none.
    /// - Returns: the result frame.
    /// - Throws: ``ClientError``; `CancellationError` if the task is cancelled.
    public func request(_ header: RequestHeader, image: [UInt8]?) async throws -> [UInt8] {
        let isOfOne: [Verb] = [.fetch, .cancel, .replay, .review, .withdrawReview, .reviewImage, .appeal]
        return isOfOne.contains(header.verb) && routers.count > 1
            ? try await requestOfJob(header, image: image) : try await request(header, image: image, router: nil)
    }

    /// Sends any request of the client protocol to one router only, and waits for its answer.
    /// - Parameters:
    ///   - header: the request's header, as for ``request(_:image:)``.
    ///   - image: the image frame; nil for none.
    ///   - router: the router's index in ``routers``; nil for any router.
    /// - Returns: the result frame.
    /// - Throws: ``ClientError``; `CancellationError` if the task is cancelled.
    public func request(_ header: RequestHeader, image: [UInt8]?, router: Int?) async throws -> [UInt8] {
        var header = header
        let budgets = Limits.budgetMilliseconds
        header.budgetMilliseconds = min(max(header.budgetMilliseconds, budgets.lowerBound), budgets.upperBound)
        return try await request(
            header, image: image, router: router, connectTimeout: options.connectTimeout,
            answerTimeout: .milliseconds(header.budgetMilliseconds) + options.grace)
    }

    /// Asks every router for a job, which at most one of them has.
    /// - Returns: the answer of the router that knows the job, as soon as it arrives; if none does, an answer that says
    ///   why.
    /// - Throws: ``ClientError`` if no router knows the job and one could not be asked: that one may have it.
    private func requestOfJob(_ header: RequestHeader, image: [UInt8]?) async throws -> [UInt8] {
        try await withThrowingTaskGroup(of: (router: Int, answer: Result<JobAnswer, ClientError>).self) { group in
            for router in routers.indices {
                group.addTask {
                    do {
                        let bytes = try await self.request(header, image: image, router: router)
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
                case .success((let bytes, "unknown_job")), .success((let bytes, "unknown_decision")): unknown = bytes
                // The router may have the job, but cannot look it up now.
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
                // The cancellation handler may have run before the call was in the mailbox.
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

    /// The members that all answers have in common.
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
