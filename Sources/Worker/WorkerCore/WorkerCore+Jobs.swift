internal import BifronsWire

extension WorkerCore {
    mutating func accept(
        _ message: RouterMessage, _ payload: Payload?, from router: Router, _ epoch: UInt64, _ now: Instant
    ) {
        let job: RouterMessage.Job
        switch message {
        case .locate(let content, _), .score(let content), .examine(let content): job = content
        case .welcome, .pong, .resync, .bye: return
        }
        do throws(WireError) {
            let (task, token) = try task(of: message, payload)
            guard stage.count(of: router) < configuration.mostCredit else {
                throw WireError(
                    .unavailable, code: "over_credit", "the router sent more jobs than the worker's credit")
            }
            let deadline = now + .milliseconds(Int64(job.remainingMilliseconds))
            stage.accept(
                Job(token: token, router: router, id: job.job, task: task, received: now, deadline: deadline))
        } catch {
            if let payload { actions.append(.release(payload.token)) }
            actions.append(.send(router, .fail(.init(epoch: epoch, job: job.job, error: error))))
        }
    }

    /// Checks a job against the worker's role and returns its task and the token of its payload.
    ///
    /// - Throws: A ``WireError`` to send back if the payload is missing or malformed, or the job is meant for another
    ///   role.
    private func task(of message: RouterMessage, _ payload: Payload?) throws(WireError) -> (Job.Task, Token) {
        switch (message, configuration.hello.role) {
        case (.locate(_, let specifications), .locator(let preprocessing)):
            guard let payload else {
                throw WireError(.unavailable, code: "job_incomplete", "the router sent a job without its image")
            }
            for specification in specifications where specification.preprocessing != preprocessing {
                throw WireError(
                    .unavailable, code: "job_malformed",
                    "the router asked for crops of preprocessing version \(specification.preprocessing), and this locator makes those of version \(preprocessing)"
                )
            }
            return (.locate(specifications), payload.token)
        case (.score, .network(let specification)):
            guard let payload else {
                throw WireError(.unavailable, code: "job_incomplete", "the router sent a job without its crops")
            }
            let (crops, rest) = payload.byteCount.quotientAndRemainder(dividingBy: specification.cropBytes)
            guard rest == 0, (1...Limits.faces).contains(crops) else {
                throw WireError(
                    .unavailable, code: "job_malformed",
                    "the router sent \(payload.byteCount) bytes of crops, which are not 1 to \(Limits.faces) crops of \(specification.cropBytes) bytes"
                )
            }
            return (.score(crops: crops), payload.token)
        case (.examine, .evidence):
            guard let payload else {
                throw WireError(.unavailable, code: "job_incomplete", "the router sent a job without its image")
            }
            return (.examine, payload.token)
        case (.score, .locator):
            throw WireError(
                .unavailable, code: "job_misdirected", "the router sent crops to a locator, which cuts them out")
        case (_, .locator):
            throw WireError(
                .unavailable, code: "job_misdirected", "the router asked a locator for evidence, which it does not find"
            )
        case (_, .network):
            throw WireError(
                .unavailable, code: "job_misdirected",
                "the router sent an image to a worker of \(configuration.hello.model), which scores crops")
        case (_, .evidence):
            throw WireError(
                .unavailable, code: "job_misdirected",
                "the router sent a job of another role to a worker that finds evidence (\(configuration.hello.model))")
        }
    }

    mutating func failOverdue(_ now: Instant) {
        for job in stage.removeOverdue(now) {
            actions.append(.release(job.token))
            let error = WireError(
                .timeout, code: "budget_spent", "the time budget was spent before the worker was free")
            answer(job, .fail(error))
        }
    }

    mutating func take(_ outcome: Outcome, _ now: Instant) {
        let report = stage.take(outcome, now)
        if report.isExpected {
            outcomes += 1
        } else if case .located(let token, _) = outcome {
            actions.append(.release(token))
        }
        for token in report.released { actions.append(.release(token)) }
        for (job, content) in report.answers { answer(job, content) }
    }

    private mutating func answer(_ job: Job, _ content: Answer) {
        guard let epoch = links[job.router].epoch else {
            if case .crops = content { actions.append(.release(job.token)) }
            return
        }
        switch content {
        case .crops(let located, let timings):
            let crops = WorkerMessage.Crops(
                epoch: epoch, job: job.id, faces: located.faces, facesFound: located.facesFound, image: located.image,
                sets: located.sets, timings: timings)
            actions.append(.send(job.router, .crops(crops), crops: job.token))
        case .score(let crops, let timings):
            actions.append(
                .send(job.router, .score(.init(epoch: epoch, job: job.id, crops: crops, timings: timings))))
        case .evidence(let report, let timings):
            actions.append(
                .send(job.router, .evidence(.init(epoch: epoch, job: job.id, report: report, timings: timings))))
        case .fail(let error):
            actions.append(.send(job.router, .fail(.init(epoch: epoch, job: job.id, error: error))))
        }
    }
}
