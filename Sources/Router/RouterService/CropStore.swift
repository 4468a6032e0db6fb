internal import BifronsZeroMQ
internal import RouterCore

/// The frames of the crops that networks may still need, by the core's token.
///
/// Each frame stays as it was received and goes to each worker by reference.
struct CropStore {
    private var frames: [[Frame]] = []
    private var free: [RouterCore.CropsToken] = []

    /// Keeps the message's frames from index `first` on and returns their token.
    mutating func keep(_ message: Message, from first: Int) -> RouterCore.CropsToken {
        let kept = (first..<message.count).map { message.frame(at: $0) }
        guard let token = free.popLast() else {
            frames.append(kept)
            return frames.count - 1
        }
        frames[token] = kept
        return token
    }

    /// Returns a kept frame.
    ///
    /// - Precondition: the token was kept and not released, and has a frame with this index.
    func frame(_ index: Int, of token: RouterCore.CropsToken) -> Frame {
        frames[token][index]
    }

    /// Releases the token's frames.
    mutating func release(_ token: RouterCore.CropsToken) {
        frames[token] = []
        free.append(token)
    }
}
