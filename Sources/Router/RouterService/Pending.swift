internal import BifronsWire
internal import BifronsZeroMQ
internal import RouterCore

/// The messages of the requests that have no answer yet, under the token that the core knows them by.
///
/// A message is received into its place and stays there, envelope and image, until the reply: nothing is copied out of it.
struct Pending {
    /// A client's connection: descriptors are used again, by others.
    struct Connection: Equatable {
        var descriptor: ConnectionDescriptor
        var sender: Sender
    }

    /// How to answer.
    struct Request {
        /// The routing id and the envelope: so many frames, from the first, open the reply.
        var echoedFrames: Int
        var form: RequestFrames.Form
        /// The image's frame.
        var image: Int?
        /// Where the request came from; nil: from no client, or unknown.
        var connection: Connection?
        /// Whether that connection is not known to have ended. Behind it another client may have the same routing id.
        var isConnected = true
    }

    private var messages: [Message] = []
    private var requests: [Request?] = []
    private var free: [RouterCore.Token] = []

    /// An empty place and the message to receive into. It is taken by `occupy`, or offered again.
    mutating func vacancy() -> (RouterCore.Token, Message) {
        if let token = free.last { return (token, messages[token]) }
        messages.append(Message())
        requests.append(nil)
        free.append(messages.count - 1)
        return (messages.count - 1, messages[messages.count - 1])
    }

    /// The vacancy now holds a request.
    mutating func occupy(_ token: RouterCore.Token, _ request: Request) {
        // Requests of connections that ended may have been released since it was offered: then it is not the last one.
        guard let place = free.lastIndex(of: token) else { preconditionFailure("token \(token) is not free") }
        free.remove(at: place)
        requests[token] = request
    }

    /// A place for an image that comes from no client.
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

    /// The requests that came on this connection and have no answer yet.
    func tokens(on connection: Connection) -> Set<RouterCore.Token> {
        Set(requests.indices.filter { requests[$0]?.connection == connection })
    }

    mutating func disconnect(_ tokens: Set<RouterCore.Token>) {
        for token in tokens { requests[token]?.isConnected = false }
    }

    mutating func release(_ token: RouterCore.Token) {
        messages[token].removeAll()
        requests[token] = nil
        free.append(token)
    }
}

/// The frames of a client's message behind the routing id that the ROUTER socket put in front.
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
