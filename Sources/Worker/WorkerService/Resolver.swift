internal import BifronsWire
internal import BifronsZeroMQ
internal import Glibc
internal import Reactor

/// Resolves names to addresses repeatedly, on its own thread because `getaddrinfo` may block for long.
final class Resolver {
    /// Returns the addresses of a name, in the form used in endpoints: `10.1.2.3`, `[fd00::1]`.
    typealias Lookup = @Sendable (_ name: String) throws -> [String]

    /// An endpoint `dns://NAME:PORT`: one router at that port of each address of the name.
    struct Endpoint: Hashable, Sendable {
        private static let scheme = "dns://"

        let name: String
        let port: String

        /// Parses an endpoint; nil if it does not begin with `dns://`.
        init?(_ text: String) {
            guard text.hasPrefix(Self.scheme), let colon = text.lastIndex(of: ":") else { return nil }
            name = String(text[..<colon].dropFirst(Self.scheme.count))
            port = String(text[text.index(after: colon)...])
        }
    }

    /// A changed result for an endpoint's name. A result equal to the last one is not reported.
    struct Report: Equatable, Sendable {
        enum Outcome: Equatable, Sendable {
            /// The endpoints to connect to: at least one, sorted.
            case found([String])
            /// The reason why the name cannot be resolved now.
            case failed(String)
        }

        let endpoint: Endpoint
        let outcome: Outcome
    }

    private enum Order: Sendable {
        case end
    }

    /// The reason why a name has no addresses.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The most addresses of one name that are used.
    private static let addresses = 256

    let reports: Mailbox<Report>
    private let orders: Mailbox<Order>
    private let thread: PlatformThread

    /// Starts the thread.
    init(_ endpoints: [Endpoint], every interval: Duration, _ lookup: @escaping Lookup) throws {
        let (orders, reports) = (try Mailbox<Order>(), try Mailbox<Report>())
        self.orders = orders
        self.reports = reports
        let milliseconds = Int(clamping: interval.nanoseconds / 1_000_000)
        thread = try PlatformThread(name: "resolver") {
            Resolver.follow(endpoints, milliseconds, lookup, orders, reports)
        }
    }

    /// Does not wait for the thread, whose lookup may take half a minute.
    deinit {
        orders.post(.end)
    }

    private static func follow(
        _ endpoints: [Endpoint], _ milliseconds: Int, _ lookup: Lookup, _ orders: Mailbox<Order>,
        _ reports: Mailbox<Report>
    ) {
        var polled = PollSet()
        let ended = polled.add(descriptor: orders.descriptor)
        var last: [Endpoint: Report] = [:]
        while !polled.isReadable(ended) {
            for endpoint in endpoints {
                let report = Report(endpoint: endpoint, outcome: look(endpoint, lookup))
                if last.updateValue(report, forKey: endpoint) != report { reports.post(report) }
            }
            // The pause between two lookups. If waiting fails, the thread ends and the known addresses stay in use.
            guard (try? polled.wait(milliseconds: milliseconds)) != nil else { return }
        }
    }

    private static func look(_ endpoint: Endpoint, _ lookup: Lookup) -> Report.Outcome {
        do {
            let addresses = Set(try lookup(endpoint.name)).sorted().prefix(Self.addresses)
            guard !addresses.isEmpty else { throw Failure(description: "it has no address") }
            return .found(addresses.map { "tcp://\($0):\(endpoint.port)" })
        } catch {
            return .failed("\(error)")
        }
    }

    /// Asks the system, which uses its hosts file, DNS or whatever else is configured.
    static let system: Lookup = { name in
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let error = getaddrinfo(name, nil, &hints, &list)
        guard error == 0 else { throw Failure(description: String(cString: gai_strerror(error))) }
        defer { freeaddrinfo(list) }
        var addresses: [String] = []
        var next = list
        while let info = next?.pointee {
            next = info.ai_next
            var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            guard
                getnameinfo(
                    info.ai_addr, info.ai_addrlen, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) == 0
            else { continue }
            let address = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            addresses.append(info.ai_family == AF_INET6 ? "[\(address)]" : address)
        }
        return addresses
    }
}
