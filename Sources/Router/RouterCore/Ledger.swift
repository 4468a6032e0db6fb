internal import BifronsWire

/// The requests without an answer, by serial number.
struct Ledger {
    private var requests: [UInt64: Request] = [:]
    /// The latest of each id.
    private var serialsByID: [String: UInt64] = [:]
    /// Earlier ones of ids that several have, in their order.
    private var earlierByID: [String: [UInt64]] = [:]
    /// What the idempotency keys of these requests stand for, and how many have each.
    private var contents: [ScopedKey: (content: KeyedContent, requests: Int)] = [:]
    private var nextSerial: UInt64 = 1
    /// Bytes of the requests' messages.
    private(set) var bytes = 0
    private var loads: [Principal.Identity: Load] = [:]

    /// What one client has in the router: its jobs, and the bytes of their messages and crops.
    struct Load {
        var jobs = 0
        var bytes = 0
    }

    var count: Int { requests.count }
    var isEmpty: Bool { requests.isEmpty }
    /// The serial number of the next request.
    var upcoming: UInt64 { nextSerial }
    var serials: [UInt64] { requests.keys.sorted() }
    /// Durable jobs on disk.
    var journalled: Int { requests.values.count(where: \.isJournalled) }
    var oldest: Instant? { requests.values.lazy.map(\.received).min() }

    func load(of identity: Principal.Identity) -> Load {
        loads[identity] ?? Load()
    }

    func contains(_ serial: UInt64) -> Bool {
        requests[serial] != nil
    }

    func isWaiting(_ job: JobID) -> Bool {
        requests[job.serial]?.steps[job.step].isWaiting ?? false
    }

    /// The unfinished request with this id, of this owner or, if nil, of anybody; the latest, if several have the same.
    func serial(ofID id: String, of jobOwner: JobOwner? = nil) -> UInt64? {
        guard let latest = serialsByID[id] else { return nil }
        guard let jobOwner else { return latest }
        func isTheirs(_ serial: UInt64) -> Bool { requests[serial]?.principal.jobOwner == jobOwner }
        return isTheirs(latest) ? latest : earlierByID[id]?.last(where: isTheirs)
    }

    /// What an idempotency key stands for, if an unfinished request has it.
    func content(of key: ScopedKey) -> KeyedContent? {
        contents[key]?.content
    }

    subscript(serial: UInt64) -> Request {
        requests[serial]!
    }

    mutating func add(_ request: Request) -> UInt64 {
        let serial = nextSerial
        nextSerial += 1
        requests[serial] = request
        if let id = request.header.id, let earlier = serialsByID.updateValue(serial, forKey: id) {
            earlierByID[id, default: []].append(earlier)
        }
        if let key = request.key, let content = request.content { contents[key, default: (content, 0)].requests += 1 }
        bytes += request.bytes
        loads[request.principal.identity, default: Load()].jobs += 1
        loads[request.principal.identity]?.bytes += request.bytes
        return serial
    }

    mutating func remove(_ serial: UInt64) -> Request {
        let request = requests.removeValue(forKey: serial)!
        if let id = request.header.id { forget(id, serial) }
        if let key = request.key {
            contents[key]?.requests -= 1
            if contents[key]?.requests == 0 { contents[key] = nil }
        }
        bytes -= request.bytes
        loads[request.principal.identity]?.jobs -= 1
        loads[request.principal.identity]?.bytes -= request.bytes + request.cutBytes
        if loads[request.principal.identity]?.jobs == 0 { loads[request.principal.identity] = nil }
        return request
    }

    /// A picture of the request was cut, for the first time or again.
    mutating func keep(_ cut: KeptCrops, for request: Request) {
        loads[request.principal.identity]?.bytes += cut.bytes - request.cutBytes
        request.cut = cut
    }

    /// The crops of the request are let go before its reply.
    mutating func forgetCut(of request: Request) {
        loads[request.principal.identity]?.bytes -= request.cutBytes
    }

    private mutating func forget(_ id: String, _ serial: UInt64) {
        if serialsByID[id] == serial {
            serialsByID[id] = earlierByID[id]?.popLast()
        } else {
            earlierByID[id]?.removeAll { $0 == serial }
        }
        if earlierByID[id]?.isEmpty == true { earlierByID[id] = nil }
    }
}
