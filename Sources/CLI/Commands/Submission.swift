import BifronsClient
import BifronsWire
import Keyring
import Settings

/// How a command finds and asks the service.
enum Submission {
    /// How long a full service is asked again before its 429 is the answer.
    private static let patience = Duration.seconds(300)
    /// When it does not say.
    private static let defaultRetry = Duration.milliseconds(100)

    /// - Parameter roles: which of the folder's keys to use, the first that is there.
    static func client(
        _ settings: ClientSettings, routers: [String]? = nil, as roles: (AllowList.Role, AllowList.Role) = asClient
    ) throws -> BifronsClient {
        var options = BifronsClient.Options(routers: routers ?? settings.routers)
        options.largestImage = largestImage(settings)
        if let keys = settings.keys { options.curve = try KeyFolder(keys).client(roles.0, roles.1) }
        return try BifronsClient(options)
    }

    /// For jobs. An operator may do what a client may.
    static let asClient = (AllowList.Role.client, AllowList.Role.operator)
    /// For looking at the service.
    static let asOperator = (AllowList.Role.operator, AllowList.Role.client)

    /// Does a command's work with the service that the settings name, or throws that there is none.
    static func withService<Result>(
        _ settings: ClientSettings, as roles: (AllowList.Role, AllowList.Role) = asClient,
        _ body: (BifronsClient) async throws -> Result
    ) async throws -> Result {
        let client = try client(settings, as: roles)
        defer { client.close() }
        try await ping(client, settings)
        return try await body(client)
    }

    /// Waits for the router. One that somebody named is given time to come; whether one is at the default place is soon
    /// known. Either may be busy when it is there.
    private static func ping(_ client: BifronsClient, _ settings: ClientSettings) async throws {
        try await client.ping(connectTimeout: settings.isRouterNamed ? nil : .milliseconds(300))
    }

    /// Bytes beyond which the router would not answer, but end the connection.
    static func largestImage(_ settings: ClientSettings) -> Int { settings.imageBytes + Limits.frameSlackBytes }

    static func header(_ settings: ClientSettings) -> RequestHeader {
        var header = RequestHeader(verb: .classify)
        header.budgetMilliseconds = settings.budgetMilliseconds
        header.priority = settings.priority
        header.policy = settings.policy
        header.models = settings.models
        header.requirement = settings.requiresAll ? .all : .any
        return header
    }

    /// Submits until the queue has room, waiting as long as the service says: with the id of the refusal, by which the
    /// router knows whose turn it is.
    static func untilAdmitted(
        _ header: RequestHeader, _ submit: (RequestHeader) async throws -> Reply
    ) async throws -> Reply {
        var header = header
        var waited = Duration.zero
        while true {
            let reply = try await submit(header)
            header.id = reply.document.id
            guard reply.document.status == .tooManyRequests, waited < patience else { return reply }
            let pause = reply.document.retryAfterMilliseconds.map { Duration.milliseconds($0) } ?? defaultRetry
            try await Task.sleep(for: pause)
            waited += pause
        }
    }

    /// A result for what got none from the service.
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

/// What became of all the files, and the exit status that says so.
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

    /// 0 all classified, 1 some files failed, 69 there was no service for any.
    var exitStatus: Int32 {
        if failed == 0 { return 0 }
        return classified == 0 && unserved == failed ? CommandError.noServiceStatus : 1
    }
}
