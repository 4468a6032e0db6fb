extension RouterCore {
    /// Why a worker with jobs in hand is given up.
    package enum Loss: String, Hashable, Sendable {
        /// Its connection ended. A worker that lives dials again within seconds, with the boot id that it had; one that does
        /// not has died.
        case connectionEnded = "connection ended"
        /// A message to it could not be sent, and its connection stands.
        case unreachable = "unreachable"
        /// It missed its heartbeats: its process, its machine or its network pauses.
        case silent = "silent"
        /// Its heartbeats come, but for too long without progress.
        case hung = "hung"
        /// Its key was taken out of the list.
        case revoked = "key revoked"
    }
}
