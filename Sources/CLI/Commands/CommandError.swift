import ArgumentParser
import BifronsClient
import BifronsWire
import Glibc
import Keyring
import ProcessSupport

/// The reason why a command failed, in one sentence for the person who typed it.
struct CommandError: Error, Equatable, CustomStringConvertible {
    let description: String
    let status: Int32

    init(_ description: String, status: Int32 = 1) {
        self.description = description
        self.status = status
    }

    /// Runs the body of a command. An expected error is printed on one line and becomes an exit status.
    static func report<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as CommandError {
            printError("bifrons: \(error)")
            throw ExitCode(error.status)
        } catch let error as ClientError {
            printError("bifrons: \(error)")
            throw ExitCode(error.isNoService ? EX_UNAVAILABLE : 1)
        } catch let error as KeyringError {
            printError("bifrons: \(error)")
            throw ExitCode.failure
        }
    }

    /// Runs the body of a synchronous command. An expected error is printed on one line and becomes an exit status.
    static func report<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as CommandError {
            printError("bifrons: \(error)")
            throw ExitCode(error.status)
        } catch let error as KeyringError {
            printError("bifrons: \(error)")
            throw ExitCode.failure
        }
    }
}

extension ClientError {
    /// Whether no service could be reached or the service is unavailable.
    var isNoService: Bool {
        switch code {
        case .noRouter, .keysRefused, .noAnswer: true
        case .refused(let status): status == .unavailable
        default: false
        }
    }
}
