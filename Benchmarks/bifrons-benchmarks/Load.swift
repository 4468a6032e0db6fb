import BifronsWire
import BifronsZeroMQ
import Foundation
import Glibc
import Histogram
import Reactor

/// A client that keeps a window of jobs in flight over one DEALER socket.
final class Load {
    struct Outcome {
        var answers = 0
        /// The number of answers with a status other than 200, or other than 202 for durable jobs.
        var failures = 0
        var seconds = 0.0
        /// The latencies from sending to the answer, in microseconds.
        var latency = Histogram<UInt64>(highestTrackableValue: 600_000_000, numberOfSignificantValueDigits: .three)

        var perSecond: Double { Double(answers) / seconds }

        func milliseconds(_ percentile: Double) -> Double {
            Double(latency.valueAtPercentile(percentile)) / 1000
        }
    }

    struct Stalled: Error, CustomStringConvertible {
        var description: String
    }

    private static let okay: StaticString = #""status":200,"#
    private static let accepted: StaticString = #""status":202"#
    /// The status follows the id, which has 36 characters.
    private static let statusOffset = #"{"id":"","#.utf8.count + 36
    /// The longest wait without any answer, after which the run fails.
    private static let patience = Duration.seconds(20)

    private let socket: Socket
    let images: [[UInt8]]
    let window: Int
    var budgetMilliseconds = Limits.defaultBudgetMilliseconds
    /// Whether the jobs are durable, so that the answer says that the job is on disk.
    var isDurable = false
    private let context: Context

    init(endpoint: String, images: [[UInt8]], window: Int, budgetMilliseconds: Int = Limits.defaultBudgetMilliseconds)
        throws
    {
        context = try Context()
        socket = try Socket(.dealer, context: context)
        try socket.connect(endpoint)
        self.images = images
        self.window = window
        self.budgetMilliseconds = budgetMilliseconds
    }

    /// Runs until `jobs` jobs are answered, or until `seconds` are over and all jobs then in flight are answered.
    ///
    /// - Parameters:
    ///   - jobs: The number of jobs.
    ///   - seconds: The longest time to submit jobs.
    ///   - during: Called about once per second with the number of answers so far.
    func run(jobs: Int = .max, seconds: Double = .infinity, during: (Int) -> Void = { _ in }) throws -> Outcome {
        var header = RequestHeader(verb: .classify)
        header.budgetMilliseconds = budgetMilliseconds
        (header.durable, header.wait) = (isDurable, !isDurable)
        let okay = isDurable ? Self.accepted : Self.okay
        let headerBytes = header.encoded()
        let message = Message()
        var sentAt: [Instant] = []
        var outcome = Outcome()
        var polled = PollSet()
        _ = polled.add(socket)
        let start = MonotonicClock.now()
        var lastAnswer = start
        var lastReport = start
        while true {
            let now = MonotonicClock.now()
            let isOver = sentAt.count >= jobs || (now - start).milliseconds / 1000 >= seconds
            if isOver, outcome.answers == sentAt.count { break }
            while !isOver, sentAt.count < jobs, sentAt.count - outcome.answers < window {
                var number = UInt64(sentAt.count)
                message.removeAll()
                withUnsafeBytes(of: &number) { message.append($0) }
                message.appendEmpty()
                message.append(Limits.magic)
                message.append(headerBytes)
                message.append(images[sentAt.count % images.count])
                guard try socket.send(message) == .sent else { break }
                sentAt.append(MonotonicClock.now())
            }
            _ = try polled.wait(milliseconds: 100)
            while try socket.receive(into: message, maxFrames: 4) {
                let received = MonotonicClock.now()
                lastAnswer = received
                let number = message.withBytes(at: 0) { $0.loadUnaligned(as: UInt64.self) }
                _ = outcome.latency.record(UInt64((received - sentAt[Int(number)]).nanoseconds / 1000))
                outcome.answers += 1
                let isOkay = message.withBytes(at: message.count - 1) { bytes in
                    Self.isOkay(bytes, okay)
                }
                if !isOkay {
                    outcome.failures += 1
                    if outcome.failures == 1 { print("  first failure: \(message.string(at: message.count - 1))") }
                }
            }
            if MonotonicClock.now() - lastAnswer > Self.patience {
                throw Stalled(
                    description: "no answer for \(Self.patience) with \(sentAt.count - outcome.answers) jobs in flight")
            }
            if MonotonicClock.now() - lastReport > .seconds(1) {
                lastReport = MonotonicClock.now()
                during(outcome.answers)
            }
        }
        outcome.seconds = (MonotonicClock.now() - start).milliseconds / 1000
        return outcome
    }

    /// Checks only one position, because a costly client would measure itself.
    private static func isOkay(_ reply: UnsafeRawBufferPointer, _ okay: StaticString) -> Bool {
        reply.count > statusOffset + okay.utf8CodeUnitCount
            && memcmp(reply.baseAddress! + statusOffset, okay.utf8Start, okay.utf8CodeUnitCount) == 0
    }

    /// Waits until the router reports that the models are served.
    func waitUntilServed(models: [String], seconds: Double = 30) throws {
        let message = Message()
        let start = MonotonicClock.now()
        while (MonotonicClock.now() - start).milliseconds / 1000 < seconds {
            message.removeAll()
            message.appendEmpty()
            message.append(Limits.magic)
            message.append(RequestHeader(verb: .models).encoded())
            _ = try socket.send(message)
            guard try socket.wait(milliseconds: 2000), try socket.receive(into: message, maxFrames: 4) else { continue }
            let report = try ModelsReport.decode(message.array(at: message.count - 1))
            let kinds = report.modelsAndLocator
            if (models + ["locator"]).allSatisfy({ name in kinds.contains { $0.name == name && $0.workers > 0 } }) {
                return
            }
            usleep(5000)
        }
        throw Stalled(description: "the models \(models) are not served after \(seconds) s")
    }
}
