internal import HTTPTypes
internal import Hexadecimal
internal import Hummingbird
internal import Instrumentation

/// What a `traceparent` field says (W3C Trace Context): which trace a request belongs to. swift-distributed-tracing leaves
/// reading it to its back ends, of which the gateway has none: its trace is in its log.
struct TraceContext: Equatable, Sendable {
    /// 32 hexadecimal digits.
    let trace: String
    /// The gateway's part of it, 16 hexadecimal digits.
    let span: String
    let flags: String

    /// Goes on with the trace of a request, or begins one if it has none or a malformed one.
    init(continuing field: String?) {
        var random = SystemRandomNumberGenerator()
        self.init(continuing: field, random: &random)
    }

    init(continuing field: String?, random: inout some RandomNumberGenerator) {
        (trace, flags) = field.flatMap(Self.parse) ?? (hexadecimal(random.next()) + hexadecimal(random.next()), "00")
        span = hexadecimal(random.next())
    }

    /// The field of the response.
    var field: String { "00-\(trace)-\(span)-\(flags)" }

    private static func parse(_ field: String) -> (trace: String, flags: String)? {
        let parts = field.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, zip(parts, [2, 32, 16, 2]).allSatisfy({ isHexadecimal($0, count: $1) }) else {
            return nil
        }
        // Later versions may have more parts; version 255 does not exist.
        guard parts[0] == "00" ? parts.count == 4 : parts[0] != "ff" else { return nil }
        guard parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" }) else { return nil }
        return (String(parts[1]), String(parts[3]))
    }

    private static func isHexadecimal(_ text: Substring, count: Int) -> Bool {
        text.utf8.count == count
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}

/// 16 digits.
private func hexadecimal(_ value: UInt64) -> String {
    withUnsafeBytes(of: value.bigEndian) { $0.hexadecimal }
}

extension InstrumentationContext {
    private enum Key: InstrumentationContextKey {
        typealias Value = TraceContext
    }

    /// The trace of the request that the task works on.
    var trace: TraceContext? {
        get { self[Key.self] }
        set { self[Key.self] = newValue }
    }
}

/// Has all work on a request know its trace, in the context of swift-distributed-tracing, and tells it to the client.
///
/// Hummingbird's `TracingMiddleware` tells no client, and makes a stream of every body: that goes out in several writes, and
/// between these may end what still comes of a request that is refused early.
struct TraceMiddleware: RouterMiddleware {
    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        let trace = TraceContext(continuing: request.headers[.traceparent])
        var work = InstrumentationContext.current ?? .topLevel
        work.trace = trace
        var response = try await InstrumentationContext.withValue(work) { try await next(request, context) }
        response.headers[.traceparent] = trace.field
        return response
    }
}
