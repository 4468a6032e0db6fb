internal import Journal
internal import Keyring
internal import RouterCore

// Conversions of the keyring's and the journal's types to the core's.

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
