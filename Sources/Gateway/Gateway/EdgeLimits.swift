internal import HTTPTypes
internal import Hummingbird
internal import Synchronization

/// Limits what clients may hold in the gateway: the number of concurrent requests of each address, and the total size
/// of all request bodies.
final class EdgeLimits: Sendable {
    private struct Usage {
        var requests: [String: Int] = [:]
        var bytes = 0
    }

    private let maxRequests: Int
    private let maxBytes: Int
    private let usage = Mutex(Usage())

    /// - Parameters:
    ///   - maxRequests: the most concurrent requests of one address.
    ///   - maxBytes: the most bytes that all request bodies may take up together.
    init(maxRequests: Int, maxBytes: Int) {
        self.maxRequests = maxRequests
        self.maxBytes = maxBytes
    }

    /// The number of bytes that request bodies take up now.
    var bytes: Int { usage.withLock(\.bytes) }

    /// One of the concurrent requests that an address may have. It is released with the last reference.
    final class Place: Sendable {
        private let limits: EdgeLimits
        private let address: String

        fileprivate init(_ limits: EdgeLimits, _ address: String) {
            self.limits = limits
            self.address = address
        }

        deinit { limits.leave(address) }
    }

    /// Admits a request of an address for as long as the returned place is referenced.
    /// - Throws: ``Problem`` (429) if the address already has the most requests that it may have.
    func enter(_ address: String) throws(Problem) -> Place {
        let isFull = usage.withLock { usage in
            let requests = usage.requests[address, default: 0]
            if requests < maxRequests { usage.requests[address] = requests + 1 }
            return requests >= maxRequests
        }
        if isFull {
            throw Problem.busy("\(address) has \(maxRequests) requests in hand already; wait for some of them first")
        }
        return Place(self, address)
    }

    private func leave(_ address: String) {
        usage.withLock { usage in
            let requests = usage.requests[address, default: 0] - 1
            usage.requests[address] = requests > 0 ? requests : nil
        }
    }

    /// Reserves bytes for a part of a body. Call ``release(_:)`` when the part is no longer kept.
    /// - Throws: ``Problem`` (429) if the bodies would exceed the limit.
    func reserve(_ bytes: Int) throws(Problem) {
        let isFull = usage.withLock { usage in
            if usage.bytes + bytes <= maxBytes {
                usage.bytes += bytes
                return false
            }
            return true
        }
        if isFull { throw Problem.busy("the gateway holds \(maxBytes) bytes of uploads already; try again later") }
    }

    func release(_ bytes: Int) {
        usage.withLock { $0.bytes -= bytes }
    }
}

extension Problem {
    /// A 429 that the gateway itself answers because one of its limits is reached.
    fileprivate static func busy(_ detail: String) -> Problem {
        Problem(.tooManyRequests, code: "gateway_busy", detail)
    }
}

/// Limits the number of concurrent requests of each client address.
struct ConcurrencyLimitMiddleware: RouterMiddleware {
    let limits: EdgeLimits

    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        let place = try limits.enter(context.client.address)
        var response = try await next(request, context)
        // A streamed response counts until it ends.
        if response.body.contentLength == nil {
            let body = response.body
            response.body = ResponseBody { writer in
                try await body.write(writer)
                withExtendedLifetime(place) {}
            }
        }
        return withExtendedLifetime(place) { response }
    }
}
