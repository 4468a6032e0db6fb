import ArgumentParser
import BifronsWire
import BifronsZeroMQ
import Reactor

/// The minimal broker of this shape, as the baseline for the router: it forwards the same frames over the same sockets,
/// without reading headers, queues, credit, timers or merging.
struct ForwarderCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "forward", shouldDisplay: false)

    @Option var clientEndpoint: String
    @Option var workerEndpoint: String

    func run() throws {
        let context = try Context()
        var options = SocketOptions()
        options.sendHighWater = 0
        options.receiveHighWater = 0
        let clients = try Socket(.router, context: context, options: options)
        let workers = try Socket(.router, context: context, options: options)
        try clients.bind(clientEndpoint)
        try workers.bind(workerEndpoint)
        var polled = PollSet()
        _ = polled.add(workers)
        _ = polled.add(clients)

        let message = Message()
        let outgoing = Message()
        var locator: [UInt8]?
        var networks: [[UInt8]] = []
        var waiting: [Message] = []
        var scoresMissing: [Int] = []
        var free: [Int] = []
        // Its length is that of the router's result for two models.
        let id = String(repeating: "0", count: 36)
        let result = [UInt8]((#"{"id":"\#(id)","status":200,"# + String(repeating: " ", count: 690) + "}").utf8)
        let models = ModelsReport(
            id: nil,
            models: Cluster.models.map { ModelsReport.Model(name: $0, workers: 1, served: []) },
            locator: ModelsReport.Model(name: "locator", workers: 1, served: []), policies: []
        ).encoded()
        while true {
            _ = try polled.wait(milliseconds: -1)
            while try workers.receive(into: message, maxFrames: 3) {
                let decoded = message.withBytes(at: 1) { bytes in
                    Result { () throws(MalformedMessage) in try WorkerMessage.decode(bytes) }
                }
                switch try decoded.get() {
                case .hello(let hello):
                    if case .locator = hello.role {
                        locator = message.array(at: 0)
                    } else {
                        networks.append(message.array(at: 0))
                    }
                    outgoing.removeAll()
                    outgoing.append(message.array(at: 0))
                    outgoing.append(RouterMessage.welcome(epoch: 1, heartbeatMilliseconds: 500).encoded())
                    _ = try workers.send(outgoing)
                case .crops(let crops):
                    let job = RouterMessage.score(Self.job(Int(crops.job))).encoded()
                    scoresMissing[Int(crops.job)] = networks.count
                    for network in networks {
                        outgoing.removeAll()
                        outgoing.append(network)
                        outgoing.append(job)
                        outgoing.append(sharing: message, at: 2)
                        _ = try workers.send(outgoing)
                    }
                case .score(let score):
                    let slot = Int(score.job)
                    scoresMissing[slot] -= 1
                    guard scoresMissing[slot] == 0 else { continue }
                    outgoing.removeAll()
                    outgoing.appendFrames(sharing: waiting[slot], 0..<3)
                    outgoing.append(Limits.magic)
                    outgoing.append(result)
                    _ = try clients.send(outgoing)
                    waiting[slot].removeAll()
                    free.append(slot)
                default: break
                }
            }
            while true {
                if free.isEmpty {
                    free.append(waiting.count)
                    waiting.append(Message())
                    scoresMissing.append(0)
                }
                let slot = free[free.count - 1]
                guard try clients.receive(into: waiting[slot], maxFrames: Limits.clientMessageFrames) else { break }
                // A request without an image is the client's question which models are served.
                if waiting[slot].count < 6 {
                    outgoing.removeAll()
                    outgoing.appendFrames(sharing: waiting[slot], 0..<2)
                    outgoing.append(Limits.magic)
                    outgoing.append(
                        locator == nil || networks.count < 2
                            ? [UInt8](#"{"status":200,"models":[],"policies":[]}"#.utf8) : models)
                    _ = try clients.send(outgoing)
                    continue
                }
                free.removeLast()
                outgoing.removeAll()
                outgoing.append(locator ?? [])
                outgoing.append(RouterMessage.locate(Self.job(slot), [StubWorker.specification]).encoded())
                outgoing.append(sharing: waiting[slot], at: 5)
                _ = try workers.send(outgoing)
            }
        }
    }

    private static func job(_ slot: Int) -> RouterMessage.Job {
        RouterMessage.Job(job: UInt64(slot), attempt: 1, remainingMilliseconds: 5000)
    }
}
