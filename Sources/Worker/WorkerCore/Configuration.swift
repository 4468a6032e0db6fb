package import BifronsWire

extension WorkerCore {
    package struct Configuration: Sendable {
        /// What the worker says of itself; its `credit` is filled in by the core.
        package var hello: WorkerMessage.Hello
        /// How many routers are in the list from the start.
        package var routers: Int
        /// Of a network: crops that are scored together at most.
        package var maxBatch: Int
        /// Of a locator: pictures that are cut at once, slow ones apart.
        package var lanes: Int
        /// Jobs in hand at most, slow pictures apart, shared among the routers; at least one each.
        package var credit: Int
        /// Of a locator: how long a picture may have had a processor before it counts as slow and leaves its lane to others.
        /// Well above what one of 12 megapixels takes.
        package var slowAfter = Duration.milliseconds(50)
        /// Of a locator: when that is so whether it has had one or not. On a busy machine others are no faster.
        package var stuckAfter = Duration.seconds(1)
        /// Of a locator: slow pictures at a time; further ones stay in their lanes.
        package var slowLanes = 8
        /// Of a network: how long before the expected end of a batch the next one is chosen if there are too few crops to
        /// fill it. Longer than it takes to tell the thread, and far shorter than a batch.
        package var orderAhead = Duration.milliseconds(2)
        /// How long jobs in hand may take after `.drain`.
        package var drainTime = Duration.seconds(10)
        /// How long a HELLO may stay without an answer before the connection is given up. Doubles with every try.
        package var welcomePatience = Duration.seconds(2)
        package var welcomePatienceMaximum = Duration.seconds(30)
        /// The pause before the next HELLO to a router that did not accept the last.
        package var refusalPause = Duration.seconds(5)
        /// Silent for so many heartbeats, a router is lost.
        package var missedHeartbeats = 3

        /// - Parameter credit: nil: what keeps the threads at work, two batches of a network and twice the lanes of a
        ///   locator.
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
                case .locator: 2 * lanes
                case .network: 2 * maxBatch
                }
            self.credit = max(1, credit ?? own)
        }

        /// The most jobs of one router, which may have been sent while there was credit for slow pictures.
        var mostCredit: Int {
            switch hello.role {
            case .locator: credit + slowLanes
            case .network: credit
            }
        }
    }
}
