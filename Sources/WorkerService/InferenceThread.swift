internal import Hashing
internal import ImageDecoding
internal import Reactor
internal import Synchronization
internal import Wire
internal import WorkerCore
internal import ZeroMQ

/// The thread that decodes and scores. It owns the scorer, from its making to its end; others hold mailboxes only.
final class InferenceThread {
    /// A file to score. The frame is the one that the socket received.
    struct Picture: Sendable {
        let token: WorkerCore.Token
        let file: Frame
    }

    enum Order: Sendable {
        case score([Picture])
        case end
    }

    enum Report: Sendable {
        /// The scorer is made and its canary scored.
        case ready(ModelIdentity)
        /// There is no scorer to be had, and why.
        case unfit(any Error)
        /// The thread has ended, and why.
        case broken(any Error)
        case scored(WorkerCore.Token, [WorkerMessage.Region], facesFound: Int?, ImageInformation)
        case failed(WorkerCore.Token, WireError)
    }

    /// Counts on as long as the thread gets on.
    private final class Progress: Sendable {
        let steps = Atomic<UInt64>(0)
    }

    let reports: Mailbox<Report>
    private let orders: Mailbox<Order>
    private let progressCounter = Progress()
    private let thread: PlatformThread

    init(makeScorer: @escaping @Sendable () throws -> any Scorer) throws {
        let (orders, reports, progress) = (try Mailbox<Order>(), try Mailbox<Report>(), progressCounter)
        self.orders = orders
        self.reports = reports
        thread = try PlatformThread(name: "inference") {
            let scorer: any Scorer
            do {
                scorer = try makeScorer()
            } catch {
                return reports.post(.unfit(error))
            }
            do {
                reports.post(.ready(scorer.identity))
                let work = Work(scorer: scorer, reports: reports) {
                    progress.steps.add(1, ordering: .relaxed)
                }
                var polled = PollSet()
                _ = polled.add(descriptor: orders.descriptor)
                while true {
                    _ = try polled.wait(milliseconds: -1)
                    for order in orders.drain() {
                        guard case .score(let pictures) = order else { return }
                        work.score(pictures)
                    }
                }
            } catch {
                reports.post(.broken(error))
            }
        }
    }

    var progress: UInt64 { progressCounter.steps.load(ordering: .relaxed) }

    func score(_ pictures: [Picture]) {
        orders.post(.score(pictures))
    }

    /// Waits until the thread has done what was ordered, and ends it.
    func end() {
        orders.post(.end)
        thread.join()
    }

    /// The way of a batch: each file → its regions in the batch; then all of them → logits.
    private struct Work {
        let scorer: any Scorer
        let reports: Mailbox<Report>
        let step: () -> Void

        private struct Placed {
            let token: WorkerCore.Token
            let regions: Int
            let facesFound: Int?
            let image: ImageInformation
        }

        func score(_ pictures: [Picture]) {
            var placed: [Placed] = []
            for picture in pictures {
                do {
                    placed.append(try picture.file.withBytes { try place($0, picture.token) })
                } catch {
                    reports.post(.failed(picture.token, Self.explain(error)))
                }
                step()
            }
            guard !placed.isEmpty else { return }
            do {
                var regions = try scorer.score(step: step)[...]
                for picture in placed {
                    report(picture, regions.prefix(picture.regions))
                    regions = regions.dropFirst(picture.regions)
                }
            } catch {
                for picture in placed { reports.post(.failed(picture.token, Self.explain(error))) }
            }
        }

        private func place(_ file: UnsafeRawBufferPointer, _ token: WorkerCore.Token) throws -> Placed {
            let picture = try scorer.place(file)
            return Placed(
                token: token, regions: picture.regions, facesFound: picture.facesFound,
                image: ImageInformation(
                    format: picture.format, width: UInt32(clamping: picture.width),
                    height: UInt32(clamping: picture.height), sha256: SHA256.digest(of: file)))
        }

        /// A picture of which one face has no logit has no verdict: that face might be the one that matters.
        private func report(_ picture: Placed, _ regions: ArraySlice<Result<WorkerMessage.Region, any Error>>) {
            do {
                let regions = try regions.map { try $0.get() }
                reports.post(.scored(picture.token, regions, facesFound: picture.facesFound, picture.image))
            } catch {
                reports.post(.failed(picture.token, Self.explain(error)))
            }
        }

        private static func explain(_ error: any Error) -> WireError {
            if let error = error as? DecodeError {
                return WireError(Status(rawValue: error.status), code: error.code, error.message)
            }
            return WireError(.unavailable, code: "inference_failed", "\(error)")
        }
    }
}
