import ArgumentParser
import BifronsClient
import BifronsWire
import Keyring
import Settings

/// Why a command ends without having done its work, in one sentence for whoever typed it.
struct CommandError: Error, Equatable, CustomStringConvertible {
    /// The exit status for a service that is not there (EX_UNAVAILABLE of sysexits.h).
    static let noServiceStatus: Int32 = 69

    let description: String
    let status: Int32

    init(_ description: String, status: Int32 = 1) {
        self.description = description
        self.status = status
    }

    /// Runs a command's work; what it throws is told in one line and becomes an exit status.
    static func report<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as CommandError {
            printError("bifrons: \(error)")
            throw ExitCode(error.status)
        } catch let error as ClientError {
            printError("bifrons: \(error)")
            throw ExitCode(error.isNoService ? noServiceStatus : 1)
        } catch let error as KeyringError {
            printError("bifrons: \(error)")
            throw ExitCode.failure
        }
    }

    /// The same for work that does not wait.
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
    /// Whether nobody is there to do the work.
    var isNoService: Bool {
        switch code {
        case .noRouter, .keysRefused, .noAnswer: true
        case .refused(let status): status == .unavailable
        default: false
        }
    }
}
