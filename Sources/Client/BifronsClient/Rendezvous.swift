/// Which router a key belongs to, by rendezvous hashing ("highest random weight", Thaler and Ravishankar 1998): the same in
/// every client that is given the same endpoints, whatever their order, and without one of them only its keys move.
enum Rendezvous {
    /// How much a router wants a key: the one that wants it most has it.
    static func weight(of endpoint: String, for key: String) -> UInt64 {
        // FNV-1a; a byte that is in neither text keeps them apart.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in Array(endpoint.utf8) + [0xFF] + Array(key.utf8) {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
        }
        // Its upper bits hardly depend on the last bytes: MurmurHash3's finalizer mends that.
        hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ (hash >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ (hash >> 33)
    }
}
