internal import BifronsZeroMQ
internal import RouterCore

/// The crops that networks may yet need, under the token that the core knows them by.
///
/// A frame stays as it was received: it goes to each worker by reference.
struct CropStore {
    private var frames: [[Frame]] = []
    private var free: [RouterCore.CropsToken] = []

    /// Keeps the message's frames from the given one on.
    mutating func keep(_ message: Message, from first: Int) -> RouterCore.CropsToken {
        let kept = (first..<message.count).map { message.frame(at: $0) }
        guard let token = free.popLast() else {
            frames.append(kept)
            return frames.count - 1
        }
        frames[token] = kept
        return token
    }

    /// - Precondition: the token was kept and not released, and has that frame.
    func frame(_ index: Int, of token: RouterCore.CropsToken) -> Frame {
        frames[token][index]
    }

    mutating func release(_ token: RouterCore.CropsToken) {
        frames[token] = []
        free.append(token)
    }
}
