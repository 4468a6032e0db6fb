import BifronsClient
import BifronsWire
import Glibc
import Keyring
import ProcessSupport
import Settings

/// Functions with which commands connect to the service and submit jobs.
enum Submission {
    /// The longest total wait for a full service. After that its 429 is the answer.
    static let patience = Duration.seconds(300)

    /// Returns a client of the service.
    ///
    /// - Parameters:
    ///   - settings: The settings.
    ///   - routers: The routers' endpoints; nil: those of the settings.
    ///   - roles: The roles whose keys to use: the first for which the key folder has one.
    static func client(
        _ settings: ClientSettings, routers: [String]? = nil, as roles: (AllowList.Role, AllowList.Role) = asClient
    ) throws -> BifronsClient {
        var options = BifronsClient.Options(routers: routers ?? settings.routers)
        options.largestImage = largestImage(settings)
        if let keys = settings.keys { options.curve = try KeyFolder(keys).client(roles.0, roles.1) }
        return try BifronsClient(options)
    }

    /// The roles for submitting jobs. An operator may do what a client may.
    static let asClient = (AllowList.Role.client, AllowList.Role.operator)
    /// The roles for reading the service's status.
    static let asOperator = (AllowList.Role.operator, AllowList.Role.client)

    /// Connects to the service that the settings name and runs `body`.
    ///
    /// - Throws: ``ClientError`` if no router answers.
    static func withService<Result>(
        _ settings: ClientSettings, as roles: (AllowList.Role, AllowList.Role) = asClient,
        _ body: (BifronsClient) async throws -> Result
    ) async throws -> Result {
        let client = try client(settings, as: roles)
        defer { client.close() }
        try await ping(client, settings)
        return try await body(client)
    }

    /// Waits for the router. A router that was named has time to come up; whether one runs at the default endpoint is
    /// known quickly. In both cases a running router may be busy and answer late.
    private static func ping(_ client: BifronsClient, _ settings: ClientSettings) async throws {
        try await client.ping(connectTimeout: settings.isSet(\.routers) ? nil : .milliseconds(300))
    }

    /// The largest image in bytes that is submitted. The router does not answer larger ones, but closes the connection.
    static func largestImage(_ settings: ClientSettings) -> Int { settings.imageBytes + Limits.frameSlackBytes }

    /// Returns what the settings request for each image.
    static func options(_ settings: ClientSettings) throws(CommandError) -> ClassifyOptions {
        do {
            return try ClassifyOptions(
                models: settings.models, requirement: settings.require == "all" ? .all : .any, policy: settings.policy,
                budget: .milliseconds(settings.budgetMilliseconds), priority: settings.priority)
        } catch {
            throw CommandError(error.message, status: Program.usageStatus)
        }
    }

    /// Returns a result document for a request that got none from the service.
    static func failure(_ error: any Error) -> (bytes: [UInt8], document: ResultDocument) {
        let problem =
            switch error {
            case let error as ImageSource.ReadError:
                WireError(error.code == "image_too_large" ? .tooLarge : .badRequest, code: error.code, error.message)
            case let error as ClientError where error.code == .noAnswer:
                WireError(.timeout, code: "no_answer", error.description)
            case let error as ClientError where error.code == .noRouter || error.code == .keysRefused:
                WireError(.unavailable, code: "no_router", error.description)
            default: WireError(.unavailable, code: "client_failed", "\(error)")
            }
        let document = ResultDocument(id: nil, error: problem)
        return (document.encoded(), document)
    }
}

/// Counts the outcomes of all files and derives the exit status.
struct Tally: Equatable {
    private(set) var classified = 0
    private(set) var failed = 0
    private var unserved = 0

    mutating func count(_ status: Status) {
        if status.isSuccess {
            classified += 1
        } else {
            failed += 1
            if status == .unavailable { unserved += 1 }
        }
    }

    /// The exit status: 0 if all were classified, 1 if some failed, 69 if all failed because there was no service.
    var exitStatus: Int32 {
        if failed == 0 { return 0 }
        return classified == 0 && unserved == failed ? EX_UNAVAILABLE : 1
    }
}
