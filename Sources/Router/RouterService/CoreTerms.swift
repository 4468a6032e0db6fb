internal import Journal
internal import Keyring
internal import RouterCore

// What the keyring and the journal say, in the core's terms.

extension Principal.Rights {
    init(_ role: AllowList.Role) {
        switch role {
        // A worker has no business with the clients' socket, where no worker's key is let in.
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
