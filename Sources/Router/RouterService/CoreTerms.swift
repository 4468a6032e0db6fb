internal import Keyring
internal import RouterCore
internal import Settings

// Conversions of the settings' and the keyring's types to the core's.

extension RouterCore.Configuration {
    init(_ settings: RouterSettings) {
        self.init()
        maxJobs = settings.maxJobs
        maxBytes = settings.maxBytes
        maxClientJobs = settings.maxClientJobs
        maxClientBytes = settings.maxClientBytes
        maxCropBytes = settings.maxCropBytes
        imageBytes = settings.imageBytes
        heartbeat = settings.heartbeat
        hangTimeout = settings.hangTimeout
        workerWait = settings.workerWait
        rejoinWait = settings.rejoinWait
        evidenceWait = settings.evidenceWait
        idempotencyRetention = settings.idempotencyRetention
        keepsJournal = settings.journal != nil
        keepsReviewImages = settings.journal != nil && settings.reviewBytes > 0
    }
}

extension Principal.Rights {
    init(_ role: AllowList.Role) {
        switch role {
        // A worker's key has no rights on the clients' socket, and its handshake is refused there anyway.
        case .worker: self = .none
        case .client: self = .client
        case .gateway: self = .gateway
        case .operator: self = .operator
        }
    }
}
