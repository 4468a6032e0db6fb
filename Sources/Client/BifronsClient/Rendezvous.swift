/// Assigns keys to routers by rendezvous hashing ("highest random weight", Thaler and Ravishankar 1998). All clients
/// with the same endpoints, in any order, make the same choice. If a router is missing, only its keys move.
enum Rendezvous {
    /// Returns the weight of a router for a key; the router with the highest weight gets the key.
    static func weight(of endpoint: String, for key: String) -> UInt64 {
        // FNV-1a. The byte 0xFF, which occurs in no UTF-8 text, separates the two texts.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in Array(endpoint.utf8) + [0xFF] + Array(key.utf8) {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
        }
        // The last bytes hardly affect FNV-1a's upper bits, which MurmurHash3's finalizer corrects.
        hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ (hash >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ (hash >> 33)
    }
}
