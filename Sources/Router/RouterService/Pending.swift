internal import BifronsWire
internal import BifronsZeroMQ
internal import RouterCore

/// The messages of unanswered requests, by the core's token.
///
/// A message is received into its place and stays there, with envelope and image, until the reply. Nothing is copied.
struct Pending {
    /// A client's connection. The descriptor alone would not do, because the system reuses descriptors.
    struct Connection: Equatable {
        var descriptor: ConnectionDescriptor
        var sender: Sender
    }

    /// What is needed to answer a request.
    struct Request {
        /// The number of leading frames that open the reply: the routing id and the envelope.
        var echoedFrames: Int
        var form: RequestFrames.Form
        /// The index of the image's frame; nil without an image.
        var image: Int?
        /// The connection on which the request arrived; nil if it is unknown or the image comes from the journal.
        var connection: Connection?
        /// Whether that connection is still open, as far as is known. After its end another client may get the same
        /// routing id.
        var isConnected = true
    }

    private var messages: [Message] = []
    private var requests: [Request?] = []
    private var free: [RouterCore.Token] = []

    /// Returns a free token with the message to receive into. `occupy` takes it; otherwise the next call may return it
    /// again.
    mutating func vacancy() -> (RouterCore.Token, Message) {
        if let token = free.last { return (token, messages[token]) }
        messages.append(Message())
        requests.append(nil)
        free.append(messages.count - 1)
        return (messages.count - 1, messages[messages.count - 1])
    }

    /// Marks a token from `vacancy` as holding a request.
    mutating func occupy(_ token: RouterCore.Token, _ request: Request) {
        // Requests of ended connections may have been released since `vacancy`, so the token need not be the last free
        // one.
        guard let place = free.lastIndex(of: token) else { preconditionFailure("token \(token) is not free") }
        free.remove(at: place)
        requests[token] = request
    }

    /// Stores an image that does not come from a client and returns its token.
    mutating func adopt(_ image: Frame) -> RouterCore.Token {
        let (token, message) = vacancy()
        message.removeAll()
        message.append(image)
        occupy(token, Request(echoedFrames: 0, form: .bare, image: 0))
        return token
    }

    func message(_ token: RouterCore.Token) -> Message {
        messages[token]
    }

    func request(_ token: RouterCore.Token) -> Request? {
        requests[token]
    }

    /// Returns the tokens of the unanswered requests that arrived on this connection.
    func tokens(on connection: Connection) -> Set<RouterCore.Token> {
        Set(requests.indices.filter { requests[$0]?.connection == connection })
    }

    /// Marks the requests' connection as ended, so that no reply is sent.
    mutating func disconnect(_ tokens: Set<RouterCore.Token>) {
        for token in tokens { requests[token]?.isConnected = false }
    }

    /// Drops a request and its message.
    mutating func release(_ token: RouterCore.Token) {
        messages[token].removeAll()
        requests[token] = nil
        free.append(token)
    }
}

/// The frames of a client's message after the routing id that the ROUTER socket prepends.
struct BehindRoutingID: FrameSequence {
    let message: Message

    var count: Int { max(0, message.count - 1) }

    func byteCount(at index: Int) -> Int {
        message.byteCount(at: index + 1)
    }

    func withBytes<Result>(at index: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        message.withBytes(at: index + 1, body)
    }
}
