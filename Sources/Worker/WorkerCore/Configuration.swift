package import BifronsWire

extension WorkerCore {
    package struct Configuration: Sendable {
        /// The worker's description of itself for the HELLO. The core fills in `credit`.
        package var hello: WorkerMessage.Hello
        /// The number of routers listed at the start. Routers listed later come with `.listed`.
        package var routers: Int
        /// The most crops that a network worker scores in one batch.
        package var maxBatch: Int
        /// The number of images that a locator or evidence worker processes at once, not counting slow ones.
        package var lanes: Int
        /// The most jobs in flight over all routers, not counting slow images. At least 1. Each router is granted an
        /// equal share, and at least one job.
        package var credit: Int
        /// The processor time after which an image counts as slow, in a locator worker. A slow image leaves its lane to
        /// other images. The default of 50 ms is well above what an image of 12 megapixels takes.
        package var slowAfter = Duration.milliseconds(50)
        /// The wall-clock time after which an image counts as slow, in a locator worker, even if it had little
        /// processor time. On a busy machine other images are no faster.
        package var stuckAfter = Duration.seconds(1)
        /// The most slow images at once, in a locator worker. Further slow images stay in their lanes.
        package var slowLanes = 8
        /// How long before the expected end of a batch a network worker chooses the next one, when too few crops wait
        /// to fill it. The default of 2 ms is longer than handing a batch to the thread takes, and far shorter than a
        /// batch.
        package var orderAhead = Duration.milliseconds(2)
        /// The time that jobs in flight have to finish after `.drain`.
        package var drainTime = Duration.seconds(10)
        /// How long the first HELLO waits for an answer before the worker reconnects. The wait doubles with each try.
        package var welcomePatience = Duration.seconds(2)
        /// The longest wait for an answer to a HELLO.
        package var welcomePatienceMaximum = Duration.seconds(30)
        /// The pause after a router has refused the worker with a BYE that is not final, before the next HELLO.
        package var refusalPause = Duration.seconds(5)
        /// The number of missed heartbeats after which a router counts as lost.
        package var missedHeartbeats = 3

        /// Creates a configuration with the default times.
        ///
        /// - Parameters:
        ///   - hello: The worker's description of itself.
        ///   - routers: The number of routers listed at the start; 0 or more.
        ///   - maxBatch: The most crops of a batch; at least 1.
        ///   - lanes: The number of images processed at once; at least 1.
        ///   - credit: The most jobs in flight. The default, nil, keeps the threads busy: two batches for a network,
        ///     twice the number of lanes for the others.
        package init(
            hello: WorkerMessage.Hello, routers: Int = 1, maxBatch: Int = 8, lanes: Int = 1, credit: Int? = nil
        ) {
            precondition(routers >= 0 && maxBatch > 0 && lanes > 0)
            self.hello = hello
            self.routers = routers
            self.maxBatch = maxBatch
            self.lanes = lanes
            let own =
                switch hello.role {
                case .locator, .evidence: 2 * lanes
                case .network: 2 * maxBatch
                }
            self.credit = max(1, credit ?? own)
        }

        /// The most jobs of one router that the worker accepts. A locator accepts `slowLanes` more than `credit`,
        /// because the router may have sent them while slow images had raised its credit.
        var mostCredit: Int {
            switch hello.role {
            case .locator, .evidence: credit + slowLanes
            case .network: credit
            }
        }
    }
}
