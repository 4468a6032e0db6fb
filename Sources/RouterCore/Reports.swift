internal import Wire

extension RouterCore {
    func statusReport(id: String?, at now: Instant) -> StatusReport {
        StatusReport(
            id: id,
            router: StatusReport.Router(
                version: configuration.version, uptimeS: (now - statistics.start).milliseconds / 1000,
                draining: isDraining, answersPerSecond: statistics.answersPerSecond(at: now)),
            queue: StatusReport.Queue(
                jobs: jobsInHand, maxJobs: configuration.maxJobs, bytes: ledger.bytes + recordingBytes,
                maxBytes: configuration.maxBytes, oldestMs: ledger.oldest.map { (now - $0).milliseconds }),
            models: ensemble.models.indices.map { model in
                let workers = roster.workers(of: model)
                return StatusReport.Model(
                    name: ensemble.models[model], workers: workers.count, waiting: waitingCount(of: model),
                    inFlight: roster.load(of: model).inFlight,
                    computeMs: statistics.scores[model].compute, queueMs: statistics.scores[model].queue,
                    batch: statistics.scores[model].batch)
            },
            workers: roster.workers.map { worker in
                StatusReport.Worker(
                    name: worker.identity.name, model: ensemble.models[worker.model],
                    version: worker.identity.version, digest: worker.identity.digest, metrics: worker.metrics,
                    state: worker.isDraining ? "draining" : "ready", credit: worker.credit,
                    inFlight: worker.inFlight.count, scored: worker.scored, failed: worker.failed,
                    computeMs: worker.compute, lastHeardMs: (now - worker.lastHeard).milliseconds)
            },
            latencyMs: statistics.latencyQuantiles, latencyHistogramMs: statistics.latencyHistogram,
            verdicts: statistics.verdicts, counters: statistics.report)
    }

    func modelsReport(id: String?) -> ModelsReport {
        ModelsReport(
            id: id,
            models: ensemble.models.indices.map { model in
                let workers = roster.workers(of: model)
                var served: [ModelsReport.Served] = []
                for worker in workers {
                    if let index = served.firstIndex(where: {
                        ($0.version, $0.digest) == (worker.identity.version, worker.identity.digest)
                    }) {
                        served[index].workers += 1
                    } else {
                        served.append(
                            ModelsReport.Served(
                                version: worker.identity.version, digest: worker.identity.digest,
                                metrics: worker.metrics, workers: 1))
                    }
                }
                return ModelsReport.Model(name: ensemble.models[model], workers: workers.count, served: served)
            },
            policies: ensemble.policies.sorted { $0.key < $1.key }.map { name, policy in
                ModelsReport.Policy(name: name, review: policy.review, block: policy.block, noFace: policy.noFace)
            })
    }
}
