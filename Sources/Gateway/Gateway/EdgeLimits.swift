internal import HTTPTypes
internal import Hummingbird
internal import Synchronization

/// What clients have in the gateway at this moment, and how much it may be. Counts whole requests by address, and the bytes
/// of all bodies together.
final class EdgeLimits: Sendable {
    private struct Usage {
        var requests: [String: Int] = [:]
        var bytes = 0
    }

    private let maxRequests: Int
    private let maxBytes: Int
    private let usage = Mutex(Usage())

    /// - Parameters:
    ///   - maxRequests: requests of one address in hand.
    ///   - maxBytes: bytes of all bodies in hand.
    init(maxRequests: Int, maxBytes: Int) {
        self.maxRequests = maxRequests
        self.maxBytes = maxBytes
    }

    /// Bytes of bodies in hand.
    var bytes: Int { usage.withLock(\.bytes) }

    /// A request's place among those of its address, until nobody holds it any more.
    final class Place: Sendable {
        private let limits: EdgeLimits
        private let address: String

        fileprivate init(_ limits: EdgeLimits, _ address: String) {
            self.limits = limits
            self.address = address
        }

        deinit { limits.leave(address) }
    }

    /// Lets a request in, for as long as the place is held.
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

    /// Makes room for a part of a body; ``release(_:)`` when it is not kept any more.
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
    /// The gateway itself has too much in hand.
    fileprivate static func busy(_ detail: String) -> Problem {
        Problem(.tooManyRequests, code: "gateway_busy", detail)
    }
}

/// Lets in no more requests of one address than the limits allow.
struct PlaceMiddleware: RouterMiddleware {
    let limits: EdgeLimits

    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        let place = try limits.enter(context.client.address)
        var response = try await next(request, context)
        // A stream keeps its place until it ends.
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
