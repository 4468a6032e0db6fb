internal import BifronsWire

/// Writes metrics in Prometheus's text exposition format, version 0.0.4.
///
/// Libraries for this format write only what the process itself has counted. Most of this text is relayed: a router's
/// report contains whole histograms.
struct PrometheusText {
    enum Kind: String {
        case counter, gauge, histogram
    }

    /// The text of each family, header and samples. Prometheus requires the samples of a family together, even if they
    /// come from several routers.
    private var families: [String] = []
    private var places: [String: Int] = [:]
    private var current = 0
    /// The router endpoint that the following samples carry as a label; nil for no label.
    var router: String?

    var text: String { families.joined() }

    /// Begins a family, or continues it if it exists. The following samples belong to it.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        if let place = places[name] {
            current = place
        } else {
            current = families.count
            places[name] = current
            families.append("# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n")
        }
    }

    mutating func sample(_ name: String, _ value: Double, _ labels: KeyValuePairs<String, String> = [:]) {
        let list = written(labels).joined(separator: ",")
        families[current] +=
            list.isEmpty ? "\(name) \(Self.number(value))\n" : "\(name){\(list)} \(Self.number(value))\n"
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Double, _ labels: KeyValuePairs<String, String> = [:])
    {
        family(name, .gauge, help)
        sample(name, value, labels)
    }

    mutating func counter(_ name: String, _ help: String, _ value: Int) {
        family(name, .counter, help)
        sample(name, Double(value))
    }

    /// Writes the samples of one histogram of the current family.
    /// - Parameters:
    ///   - labels: at most two labels.
    ///   - unit: the size of the histogram's unit in the metric's unit; 0.001 for milliseconds in a metric of seconds.
    mutating func histogram(
        _ name: String, _ histogram: StatusReport.Histogram, _ labels: KeyValuePairs<String, String> = [:],
        unit: Double = 1
    ) {
        let list = written(labels)
        func labelled(_ more: String? = nil) -> String {
            let all = list + [more].compactMap(\.self)
            return all.isEmpty ? "" : "{\(all.joined(separator: ","))}"
        }
        for (bound, count) in zip(histogram.bounds, histogram.counts) {
            families[current] += "\(name)_bucket\(labelled("le=\"\(Self.number(bound * unit))\"")) \(count)\n"
        }
        families[current] += "\(name)_bucket\(labelled("le=\"+Inf\"")) \(histogram.count)\n"
        families[current] += "\(name)_sum\(labelled()) \(Self.number(histogram.sum * unit))\n"
        families[current] += "\(name)_count\(labelled()) \(histogram.count)\n"
    }

    private func written(_ labels: KeyValuePairs<String, String>) -> [String] {
        let all = (router.map { [("router", $0)] } ?? []) + labels.map { ($0.key, $0.value) }
        return all.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }
    }

    private static func number(_ value: Double) -> String {
        if let whole = Int(exactly: value) { return "\(whole)" }
        // A bound in milliseconds times 0.001 has rounding errors in its last digits.
        return "\((value * 1e9).rounded() / 1e9)"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}

extension PrometheusText {
    /// Writes a router's status. By Prometheus's conventions, times are in seconds, and names of counters end in
    /// `_total`.
    mutating func write(_ report: StatusReport) {
        gauge("bifrons_build_info", "The router's release.", 1, ["version": report.router.version])
        gauge("bifrons_uptime_seconds", "Since the router's start.", report.router.uptimeS)
        gauge("bifrons_draining", "Whether the router is stopping.", report.router.draining ? 1 : 0)
        gauge("bifrons_queue_jobs", "Jobs without an answer.", Double(report.queue.jobs))
        gauge("bifrons_queue_jobs_limit", "Jobs without an answer before 429.", Double(report.queue.maxJobs))
        gauge("bifrons_queue_bytes", "Bytes of jobs without an answer.", Double(report.queue.bytes))
        gauge("bifrons_queue_bytes_limit", "Bytes of jobs before 429.", Double(report.queue.maxBytes))
        gauge(
            "bifrons_queue_crop_bytes", "Bytes of crops that are kept for networks, or may yet come.",
            Double(report.queue.cropBytes))
        gauge(
            "bifrons_queue_crop_bytes_limit", "Bytes of crops before images wait for a locator.",
            Double(report.queue.maxCropBytes))
        gauge("bifrons_queue_oldest_seconds", "Age of the oldest job.", (report.queue.oldestMs ?? 0) / 1000)
        family("bifrons_job_duration_seconds", .histogram, "From receipt of a job to its result.")
        histogram("bifrons_job_duration_seconds", report.latencyHistogramMs, unit: 0.001)
        write(report.counters)
        family("bifrons_verdicts_total", .counter, "Verdicts by label.")
        for (label, count) in report.verdicts.byLabel.sorted(by: { $0.key < $1.key }) {
            sample("bifrons_verdicts_total", Double(count), ["label": label])
        }
        family("bifrons_actions_total", .counter, "Verdicts by the policy's action.")
        for (action, count) in report.verdicts.byAction.sorted(by: { $0.key < $1.key }) {
            sample("bifrons_actions_total", Double(count), ["action": action])
        }
        if let journal = report.journal {
            gauge("bifrons_journal_working", "Whether the journal can be written.", journal.state == "ok" ? 1 : 0)
            if let decisions = journal.decisions {
                counter("bifrons_decisions_recorded_total", "Decisions in the ledger since it began.", decisions)
            }
        }
        write(report.models)
        write(Self.toldApart(report.workers))
    }

    /// Makes the names of workers unique, since workers choose them and each name must be its own series: the second
    /// worker of a name gets the suffix ` (2)`.
    private static func toldApart(_ workers: [StatusReport.Worker]) -> [StatusReport.Worker] {
        var seen: [String: Int] = [:]
        return workers.map { worker in
            var worker = worker
            seen[worker.name, default: 0] += 1
            if let number = seen[worker.name], number > 1 { worker.name += " (\(number))" }
            return worker
        }
    }

    private mutating func write(_ counters: StatusReport.Counters) {
        family("bifrons_replies_total", .counter, "Replies by status, without reports.")
        for (status, count) in counters.repliesByStatus.sorted(by: { $0.key < $1.key }) {
            sample("bifrons_replies_total", Double(count), ["status": status])
        }
        if let reports = counters.reports {
            counter("bifrons_reports_total", "Answers to ping, status, models and other requests for reports.", reports)
        }
        if let overBudget = counters.overBudget {
            counter("bifrons_jobs_over_budget_total", "Jobs answered only when their budgets were spent.", overBudget)
        }
        counter("bifrons_jobs_accepted_total", "Jobs admitted.", counters.accepted)
        counter("bifrons_jobs_rejected_total", "Jobs refused with 429.", counters.rejected)
        counter("bifrons_received_bytes_total", "Bytes of the messages of admitted jobs.", counters.bytesReceived)
        counter("bifrons_jobs_cancelled_total", "Jobs cancelled.", counters.cancelled)
        counter(
            "bifrons_jobs_deduplicated_total", "Jobs answered by another with the same idempotency key.",
            counters.deduplicated)
        counter("bifrons_jobs_redispatched_total", "Second tries of a step of a job.", counters.redispatched)
        counter("bifrons_jobs_quarantined_total", "Jobs of a step of which two workers died.", counters.quarantined)
        counter("bifrons_workers_lost_total", "Workers that died, hung or fell silent.", counters.workersLost)
        counter("bifrons_replies_undelivered_total", "Replies that a client did not take.", counters.undelivered)
        if let unrecorded = counters.unrecorded {
            counter(
                "bifrons_decisions_unrecorded_total", "Decisions that could not be written to the ledger.", unrecorded)
        }
        counter("bifrons_requests_malformed_total", "Requests that could not be read.", counters.malformedRequests)
        counter(
            "bifrons_messages_malformed_total", "Workers' messages that could not be read.", counters.malformedMessages)
        counter("bifrons_answers_late_total", "Workers' answers to jobs that were over.", counters.late)
        counter("bifrons_answers_unknown_total", "Workers' answers to jobs that they did not have.", counters.unknown)
        counter("bifrons_strangers_total", "Messages of peers that are not registered.", counters.strangers)
    }

    private mutating func write(_ models: [StatusReport.Model]) {
        family("bifrons_model_workers", .gauge, "Workers of a model, of the locator, or of a kind of evidence.")
        for model in models { sample("bifrons_model_workers", Double(model.workers), ["model": model.name]) }
        family("bifrons_model_waiting_jobs", .gauge, "Jobs that wait for a worker of the model.")
        for model in models { sample("bifrons_model_waiting_jobs", Double(model.waiting), ["model": model.name]) }
        family("bifrons_model_in_flight_jobs", .gauge, "Jobs in the hands of the model's workers.")
        for model in models { sample("bifrons_model_in_flight_jobs", Double(model.inFlight), ["model": model.name]) }
        let histograms: [(String, String, KeyPath<StatusReport.Model, StatusReport.Histogram>, unit: Double)] = [
            ("bifrons_model_compute_seconds", "From the start of a job's work to the answer.", \.computeMs, 0.001),
            (
                "bifrons_model_queue_seconds", "From when a job could be begun to the start of its work.", \.queueMs,
                0.001
            ),
            ("bifrons_model_batch_size", "Jobs that were computed together.", \.batch, 1),
        ]
        for (name, help, values, unit) in histograms {
            family(name, .histogram, help)
            for model in models { histogram(name, model[keyPath: values], ["model": model.name], unit: unit) }
        }
    }

    private mutating func write(_ workers: [StatusReport.Worker]) {
        family("bifrons_worker_in_flight_jobs", .gauge, "Jobs in a worker's hands.")
        for worker in workers {
            sample(
                "bifrons_worker_in_flight_jobs", Double(worker.inFlight),
                ["worker": worker.name, "model": worker.model])
        }
        family("bifrons_worker_failed_total", .counter, "Jobs that a worker failed at.")
        for worker in workers {
            sample(
                "bifrons_worker_failed_total", Double(worker.failed), ["worker": worker.name, "model": worker.model])
        }
        family("bifrons_worker_compute_seconds", .histogram, "From the start of a job's work to the answer.")
        for worker in workers {
            histogram(
                "bifrons_worker_compute_seconds", worker.computeMs, ["worker": worker.name, "model": worker.model],
                unit: 0.001)
        }
    }
}
