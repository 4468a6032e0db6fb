internal import Journal
internal import Keyring
internal import RouterCore
internal import Settings

// Conversions of the settings' types, the keyring's and the journal's to the core's.

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
        idempotencyRetention = settings.idempotencyRetention
        keepsJournal = settings.journal != nil
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

extension RouterCore.Persistence {
    init(_ outcome: Journal.Outcome) {
        switch outcome {
        case .stored: self = .stored
        case .known(let document): self = .known(document)
        case .refused(let error): self = .refused(error)
        case .failed(let reason): self = .failed(reason)
        }
    }
}

extension RouterCore.LookupResult {
    init(_ found: Journal.Found) {
        switch found {
        case .result(let document): self = .result(document)
        case .running: self = .running
        case .unknown: self = .unknown
        case .failed(let reason): self = .failed(reason)
        }
    }
}
