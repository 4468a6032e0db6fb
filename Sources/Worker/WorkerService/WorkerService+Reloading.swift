internal import BifronsWire
internal import Reactor
internal import WorkerCore

// Reads again what evidence depends on, on a thread of its own, because large banks take seconds.
extension WorkerService {
    /// Starts to reload if a signal has asked for it, what to reload is known, and no reload is running. A signal during
    /// a reload starts another one afterwards, because the files may have changed since they were read.
    func reloadIfWanted() throws {
        guard isReloadWanted, reloading == nil, !isDraining, let examiner else { return }
        isReloadWanted = false
        let reports = reports
        reloading = try PlatformThread(name: "reloading") {
            examiner.reload()
            reports.post(.reloaded)
        }
    }

    /// Tells the routers what is in force now.
    func finishReload(at now: Instant) throws {
        reloading?.join()
        reloading = nil
        if let digest = examiner?.identity.digest { try handle(.redescribed(digest: digest), at: now) }
        try reloadIfWanted()
    }
}
