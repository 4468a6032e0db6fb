internal import BifronsWire
internal import BifronsZeroMQ
internal import Glibc
internal import Reactor

/// The thread that asks what addresses names have, again and again: `getaddrinfo` may wait for long.
final class Resolver {
    /// Asks for the addresses of a name, as they stand in endpoints: `10.1.2.3`, `[fd00::1]`.
    typealias Lookup = @Sendable (_ name: String) throws -> [String]

    /// `dns://NAME:PORT`: a router at the port of every address that the name has.
    struct Endpoint: Hashable, Sendable {
        private static let scheme = "dns://"

        let name: String
        let port: String

        /// Nil for an endpoint that is none of these.
        init?(_ text: String) {
            guard text.hasPrefix(Self.scheme), let colon = text.lastIndex(of: ":") else { return nil }
            name = String(text[..<colon].dropFirst(Self.scheme.count))
            port = String(text[text.index(after: colon)...])
        }
    }

    /// What became of an endpoint's name. Told when it is another one than the last time.
    struct Report: Equatable, Sendable {
        enum Outcome: Equatable, Sendable {
            /// Endpoints to connect to, at least one, in order.
            case found([String])
            /// Why there is nothing to be known now.
            case failed(String)
        }

        let endpoint: Endpoint
        let outcome: Outcome
    }

    private enum Order: Sendable {
        case end
    }

    /// Why a name has no addresses.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Addresses of one name that are used; those beyond are not.
    private static let addresses = 256

    let reports: Mailbox<Report>
    private let orders: Mailbox<Order>
    private let thread: PlatformThread

    init(_ endpoints: [Endpoint], every interval: Duration, _ lookup: @escaping Lookup) throws {
        let (orders, reports) = (try Mailbox<Order>(), try Mailbox<Report>())
        self.orders = orders
        self.reports = reports
        let milliseconds = Int(clamping: interval.nanoseconds / 1_000_000)
        thread = try PlatformThread(name: "resolver") {
            Resolver.follow(endpoints, milliseconds, lookup, orders, reports)
        }
    }

    /// Does not wait for the thread: a look may take half a minute.
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
            // The pause between two looks. Should it fail, what is known stays.
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

    /// Asks the system: its hosts file, DNS, or whatever it is set up for.
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
