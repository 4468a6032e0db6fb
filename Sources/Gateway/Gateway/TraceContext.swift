internal import HTTPTypes
internal import Hexadecimal
internal import Hummingbird
internal import Instrumentation

/// The trace that a request belongs to, from its `traceparent` field (W3C Trace Context). swift-distributed-tracing
/// leaves parsing to its backends, and the gateway has none: it writes the trace only to its log.
struct TraceContext: Equatable, Sendable {
    /// The trace id: 32 hexadecimal digits.
    let trace: String
    /// The id of the gateway's span: 16 hexadecimal digits.
    let span: String
    let flags: String

    /// Continues the trace of a request, or begins a new one if the field is missing or malformed.
    init(continuing field: String?) {
        var random = SystemRandomNumberGenerator()
        self.init(continuing: field, random: &random)
    }

    init(continuing field: String?, random: inout some RandomNumberGenerator) {
        (trace, flags) = field.flatMap(Self.parse) ?? (hexadecimal(random.next()) + hexadecimal(random.next()), "00")
        span = hexadecimal(random.next())
    }

    /// The value of the response's `traceparent` field.
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

/// Returns 16 hexadecimal digits.
private func hexadecimal(_ value: UInt64) -> String {
    withUnsafeBytes(of: value.bigEndian) { $0.hexadecimal }
}

extension InstrumentationContext {
    private enum Key: InstrumentationContextKey {
        typealias Value = TraceContext
    }

    /// The trace of the request that the current task handles.
    var trace: TraceContext? {
        get { self[Key.self] }
        set { self[Key.self] = newValue }
    }
}

/// Sets the trace in the task-local context of swift-distributed-tracing, and adds it to the response.
///
/// Hummingbird's `TracingMiddleware` does not tell the client the trace. It also turns every body into a stream that is
/// written in several parts; between two of them, the rest of an early-refused request could end the connection.
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
