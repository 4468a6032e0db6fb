extension RouterCore {
    /// The reason why a worker counts as lost.
    package enum Loss: String, Hashable, Sendable {
        /// The worker's connection ended. A live worker reconnects within seconds with the same boot id; one that does
        /// not has died.
        case connectionEnded = "connection ended"
        /// A message to the worker could not be sent although its connection stands.
        case unreachable = "unreachable"
        /// The worker missed its heartbeats: its process, its machine or its network is paused.
        case silent = "silent"
        /// The worker's heartbeats arrive, but it has made no progress for too long.
        case hung = "hung"
        /// The worker's key was removed from the allow-list.
        case revoked = "key revoked"
    }
}
