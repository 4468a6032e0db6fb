internal import BifronsWire

/// The unanswered requests, by serial number.
struct RequestTable {
    private var requests: [UInt64: Request] = [:]
    /// The latest request with each id.
    private var serialsByID: [String: UInt64] = [:]
    /// The earlier requests of ids that several requests share, oldest first.
    private var earlierByID: [String: [UInt64]] = [:]
    /// The content of each idempotency key in use, and the number of requests that have the key.
    private var contents: [ScopedKey: (content: KeyedContent, requests: Int)] = [:]
    private var nextSerial: UInt64 = 1
    /// The bytes of the requests' messages.
    private(set) var bytes = 0
    private var loads: [Principal.Identity: Load] = [:]

    /// One client's load: its unanswered jobs, and the bytes of their messages and crops.
    struct Load {
        var jobs = 0
        var bytes = 0
    }

    var count: Int { requests.count }
    var isEmpty: Bool { requests.isEmpty }
    /// The serial number of the next request.
    var upcoming: UInt64 { nextSerial }
    var serials: [UInt64] { requests.keys.sorted() }
    /// The number of durable jobs that are on disk.
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

    /// Returns the unfinished request with this id that belongs to the owner, or to anybody if the owner is nil. If
    /// several share the id, it is the latest.
    func serial(ofID id: String, of jobOwner: JobOwner? = nil) -> UInt64? {
        guard let latest = serialsByID[id] else { return nil }
        guard let jobOwner else { return latest }
        func isTheirs(_ serial: UInt64) -> Bool { requests[serial]?.principal.jobOwner == jobOwner }
        return isTheirs(latest) ? latest : earlierByID[id]?.last(where: isTheirs)
    }

    /// Returns the content that an idempotency key stands for, or nil if no unfinished request has the key.
    func content(of key: ScopedKey) -> KeyedContent? {
        contents[key]?.content
    }

    /// The request with this serial number, which must be in the table.
    subscript(serial: UInt64) -> Request {
        requests[serial]!
    }

    /// Adds a request and returns its serial number.
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

    /// Removes a request, which must be in the table, and returns it.
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

    /// Keeps the crops of the request's image, in place of earlier ones.
    mutating func keep(_ cut: KeptCrops, for request: Request) {
        loads[request.principal.identity]?.bytes += cut.bytes - request.cutBytes
        request.cut = cut
    }

    /// Takes the request's crops off its client's load: they are released before the reply.
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
