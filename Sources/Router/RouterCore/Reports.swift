internal import BifronsWire
internal import Decisions

extension RouterCore {
    /// Returns the answer to the verb `status`.
    func statusReport(id: String?, at now: Instant) -> StatusReport {
        StatusReport(
            id: id,
            router: StatusReport.Router(
                version: configuration.version, uptimeS: (now - statistics.start).milliseconds / 1000,
                draining: isDraining, answersPerSecond: statistics.answersPerSecond(at: now), lastEvent: log.lastID),
            queue: StatusReport.Queue(
                jobs: jobsInHand, maxJobs: configuration.maxJobs, bytes: requests.bytes + recordingBytes,
                maxBytes: configuration.maxBytes, cropBytes: cropBytes, maxCropBytes: configuration.maxCropBytes,
                oldestMs: requests.oldest.map { (now - $0).milliseconds }),
            models: zip(roster.pools.indices, roster.pools).map { index, pool in
                StatusReport.Model(
                    name: pool.name, workers: pool.slots.count, waiting: pool.waiting + heldCount(of: index),
                    inFlight: pool.load.inFlight, computeMs: pool.timings.compute, queueMs: pool.timings.queue,
                    batch: pool.timings.batch)
            },
            workers: roster.workers.map { worker in
                StatusReport.Worker(
                    name: worker.identity.name, model: ensemble.pools[worker.pool],
                    version: worker.identity.version, digest: worker.identity.digest, metrics: worker.metrics,
                    sandbox: worker.sandbox?.text ?? "off", state: worker.isDraining ? "draining" : "ready",
                    credit: worker.credit, inFlight: worker.inFlight.count, scored: worker.scored,
                    failed: worker.failed, computeMs: worker.compute, lastHeardMs: (now - worker.lastHeard).milliseconds
                )
            },
            latencyMs: statistics.latencyQuantiles, latencyHistogramMs: statistics.latencyHistogram,
            verdicts: statistics.verdicts, counters: statistics.report)
    }

    /// Brings the history up to the time of an event, before the event.
    mutating func keepHistory(_ now: Instant) {
        // The levels are read before the statistics change.
        let (jobs, pools) = (jobsInHand, roster.pools)
        statistics.history.advance(
            to: now, History.Levels(queue: jobs, workers: pools.map(\.slots.count)))
    }

    /// Notes what an event has changed for the history.
    mutating func noteLevels() {
        statistics.history.note(queue: jobsInHand)
        for pool in roster.pools.indices { statistics.history.note(workers: roster.pools[pool].slots.count, of: pool) }
    }

    /// Returns the answer to the verb `models`.
    func modelsReport(id: String?) -> ModelsReport {
        ModelsReport(
            id: id,
            models: ensemble.models.indices.map(served), locator: served(ensemble.locator),
            evidence: ensemble.evidence.isEmpty ? nil : ensemble.examiners.map(served),
            shadow: ensemble.shadows.isEmpty ? nil : ensemble.shadowPools.map(served),
            policies: policies.names.compactMap { policies.active($0, for: nil) }.map { version in
                ModelsReport.Policy(
                    name: version.name, version: version.version, review: version.policy.review,
                    block: version.policy.block, noFace: version.policy.noFace)
            })
    }

    /// Returns the workers of a pool, counted by the model that they serve.
    private func served(_ pool: Int) -> ModelsReport.Model {
        let workers = roster.workers(of: pool)
        var served: [ModelsReport.Served] = []
        for worker in workers {
            if let index = served.firstIndex(where: {
                ($0.version, $0.digest) == (worker.identity.version, worker.identity.digest)
            }) {
                served[index].workers += 1
            } else {
                served.append(
                    ModelsReport.Served(
                        version: worker.identity.version, digest: worker.identity.digest, metrics: worker.metrics,
                        workers: 1))
            }
        }
        return ModelsReport.Model(name: ensemble.pools[pool], workers: workers.count, served: served)
    }

    /// Returns the number of jobs that wait for the first worker of a pool although they are in no queue. An autoscaler
    /// that starts workers on demand reads this.
    private func heldCount(of pool: Int) -> Int {
        guard !roster.hasWorker(of: pool) else { return 0 }
        return requests.serials.count { serial in
            let request = requests[serial]
            return request.phase == .computing && request.steps.contains { $0.pool == pool && $0.isHeld }
        }
    }
}
