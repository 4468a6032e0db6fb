import ArgumentParser
import BifronsWire
import Foundation
import Glibc
import Reactor

struct GatewayBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway", abstract: "Verdicts a second through HTTP against straight over ZeroMQ.")

    @OptionGroup var product: ProductOptions
    @Option(help: "Jobs in flight.") var window = 32
    @Option(help: "Bytes of an image, about.") var imageBytes = 100_000
    @Option(help: "Seconds a measurement.") var seconds = 8.0
    @Option(help: "Rounds.") var rounds = 5

    func run() throws {
        let images = benchmarkImages(bytes: imageBytes)
        let cluster = try Cluster(product)
        defer { cluster.stop() }
        let load = try Load(endpoint: cluster.clientEndpoint, images: images, window: window)
        try load.waitUntilServed(models: Cluster.models)
        let port = freePort()
        let gateway = try ChildProcess(
            "\(product.bin)/bifrons-gateway",
            ["--router", cluster.clientEndpoint, "--http-port", "\(port)", "--log-level", "error"])
        defer { gateway.stop() }
        let web = try HTTPLoad(port: port, images: images, window: window)
        var ratios: [Double] = []
        var costs: [Double] = []
        for round in 1...rounds {
            _ = try load.run(seconds: 1)
            let straight = try load.run(seconds: seconds)
            _ = try web.run(seconds: 1)
            let before = gateway.cpuSeconds
            let http = try web.run(seconds: seconds)
            costs.append((gateway.cpuSeconds - before) * 1000 / Double(http.answers))
            ratios.append(http.perSecond / straight.perSecond)
            print(
                "round \(round): ZeroMQ \(rounded(straight.perSecond, 1))/s, HTTP \(rounded(http.perSecond, 1))/s, "
                    + "ratio \(rounded(ratios[round - 1], 3)), failures \(straight.failures) and \(http.failures)")
            guard http.failures == 0 else { throw ExitCode.failure }
        }
        let resident = Double(gateway.peakResidentBytes) / 1e6
        print(
            "HTTP / ZeroMQ: \(rounded(median(ratios), 3)) (median of \(rounds)), "
                + "gateway at most \(rounded(resident, 1)) MB, \(rounded(median(costs))) ms of its CPU a request")
        tell(median(ratios) >= 0.85, "at least 0.85 of what goes straight over ZeroMQ")
        tell(resident <= 60, "the gateway has at most 60 MB resident")
    }
}

/// A client that keeps a window of uploads in flight, each on its own connection, which is reused.
private final class HTTPLoad {
    struct Outcome {
        var answers = 0
        /// The number of answers with a status other than 200.
        var failures = 0
        var seconds = 0.0

        var perSecond: Double { Double(answers) / seconds }
    }

    private struct Connection {
        let socket: Int32
        var unsent: ArraySlice<UInt8> = []
        var received: [UInt8] = []
        var isBusy = false
    }

    private static let patience = Duration.seconds(20)
    private let requests: [[UInt8]]
    private var connections: [Connection] = []

    /// Waits until the gateway listens, and opens the connections.
    init(port: UInt16, images: [[UInt8]], window: Int) throws {
        requests = images.map { image in
            let head = "POST /v1/classify HTTP/1.1\r\nHost: gateway\r\nContent-Type: image/jpeg\r\n"
            return Array("\(head)Content-Length: \(image.count)\r\n\r\n".utf8) + image
        }
        for _ in 0..<window { connections.append(Connection(socket: try Self.connect(port))) }
    }

    deinit {
        for connection in connections { close(connection.socket) }
    }

    /// Runs for a number of seconds, and then until all uploads in flight are answered.
    func run(seconds: Double) throws -> Outcome {
        var outcome = Outcome()
        var sent = 0
        let start = MonotonicClock.now()
        var lastAnswer = start
        while true {
            let now = MonotonicClock.now()
            let isOver = (now - start).milliseconds / 1000 >= seconds
            if isOver, outcome.answers == sent { break }
            guard now - lastAnswer < Self.patience else {
                throw Load.Stalled(
                    description: "no answer for \(Self.patience) with \(sent - outcome.answers) in flight")
            }
            if !isOver {
                for index in connections.indices where !connections[index].isBusy {
                    connections[index].unsent = requests[sent % requests.count][...]
                    connections[index].isBusy = true
                    sent += 1
                }
            }
            var polled = connections.map { connection in
                pollfd(
                    fd: connection.socket, events: Int16(connection.unsent.isEmpty ? POLLIN : POLLIN | POLLOUT),
                    revents: 0)
            }
            poll(&polled, nfds_t(polled.count), 100)
            for index in polled.indices where polled[index].revents != 0 {
                if Int32(polled[index].revents) & POLLOUT != 0 { send(index) }
                guard Int32(polled[index].revents) & ~POLLOUT != 0, let isOkay = try receive(index) else { continue }
                lastAnswer = MonotonicClock.now()
                outcome.answers += 1
                if !isOkay { outcome.failures += 1 }
            }
        }
        outcome.seconds = (MonotonicClock.now() - start).milliseconds / 1000
        return outcome
    }

    private func send(_ index: Int) {
        let count = connections[index].unsent.withUnsafeBytes {
            Glibc.send(
                connections[index].socket, $0.baseAddress, $0.count,
                Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
        }
        connections[index].unsent = connections[index].unsent.dropFirst(max(0, count))
    }

    /// Receives more of an answer.
    ///
    /// - Returns: Whether the status is 200; nil until the answer is complete.
    private func receive(_ index: Int) throws -> Bool? {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = recv(connections[index].socket, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        guard count > 0 else {
            if count < 0, errno == EAGAIN { return nil }
            throw Load.Stalled(description: "the gateway closed a connection")
        }
        connections[index].received += buffer[..<count]
        let received = connections[index].received
        guard let end = received.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let head = String(decoding: received[..<end.lowerBound], as: UTF8.self)
        let length = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.split(separator: " ").last ?? "") }
        guard let length, received.count >= end.upperBound + length else { return nil }
        connections[index].received = []
        connections[index].isBusy = false
        return head.hasPrefix("HTTP/1.1 200")
    }

    private static func connect(_ port: UInt16) throws -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        for _ in 0..<1000 {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            let status = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if status == 0 { return descriptor }
            close(descriptor)
            usleep(5000)
        }
        throw Load.Stalled(description: "no gateway listens at port \(port)")
    }
}
