/// A superbox of JUMBF (ISO/IEC 19566-5): a description, boxes with content, and further superboxes.
struct Superbox {
    /// The first four bytes of its identifier. All that C2PA defines end with the same twelve bytes.
    let kind: String
    let label: String
    /// The whole box.
    let whole: ByteView
    /// What is behind the box's length and type: what a hashed reference to it covers.
    let payload: ByteView
    let contents: [Content]
    let children: [Superbox]

    struct Content {
        let type: String
        let data: ByteView
    }

    /// The end of the identifiers that C2PA defines.
    private static let family: [UInt8] = [0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71]

    func content(_ type: String) -> ByteView? { contents.first { $0.type == type }?.data }

    func child(labelled label: String) -> Superbox? { children.first { $0.label == label } }

    /// Reads the superbox that `bytes` begin with; nil if it is cut off or damaged.
    static func read(_ bytes: ByteView, _ effort: Effort, depth: Int = 1) throws(EvidenceError) -> Superbox? {
        try effort.level(depth, of: "The boxes of the manifest store", atMost: effort.limits.depth)
        guard let box = try next(bytes, at: 0, effort), box.type == "jumb" else { return nil }
        var offset = 0
        var described: (kind: String, label: String)?
        var contents: [Content] = []
        var children: [Superbox] = []
        while offset < box.payload.count {
            guard let inner = try next(box.payload, at: offset, effort) else { return nil }
            offset += inner.whole.count
            if inner.type == "jumb" {
                guard let child = try read(inner.whole, effort, depth: depth + 1) else { return nil }
                children.append(child)
            } else if inner.type == "jumd", described == nil {
                described = description(inner.payload)
            } else {
                contents.append(Content(type: inner.type, data: inner.payload))
            }
        }
        guard let described else { return nil }
        return Superbox(
            kind: described.kind, label: described.label, whole: box.whole, payload: box.payload, contents: contents,
            children: children)
    }

    private typealias Box = (type: String, whole: ByteView, payload: ByteView)

    private static func next(_ bytes: ByteView, at offset: Int, _ effort: Effort) throws(EvidenceError) -> Box? {
        try effort.item()
        guard let size = bytes.uint32(at: offset), let type = bytes.slice(offset + 4, 4) else { return nil }
        var (head, length) = (8, size)
        if size == 1 {
            guard let long = bytes.uint64(at: offset + 8) else { return nil }
            (head, length) = (16, long)
        } else if size == 0 {  // up to the end
            length = bytes.count - offset
        }
        guard length >= head, let whole = bytes.slice(offset, length) else { return nil }
        return (String(decoding: type.buffer, as: UTF8.self), whole, whole.dropping(head))
    }

    /// Reads a description: the identifier, toggles, and the label that ends with a zero byte, or no label.
    private static func description(_ bytes: ByteView) -> (kind: String, label: String)? {
        guard let kind = bytes.slice(0, 4), let toggles = bytes[16] else { return nil }
        let isOfC2PA = bytes.has(family, at: 4)
        var label = ""
        if toggles & 2 != 0 {
            guard let end = bytes.firstOffset(of: 0, from: 17), let text = bytes.slice(17, end - 17) else { return nil }
            label = text.text
        }
        return (isOfC2PA ? String(decoding: kind.buffer, as: UTF8.self) : "", label)
    }
}

/// A reference within a manifest store, such as `self#jumbf=/c2pa/LABEL/c2pa.assertions/c2pa.actions`.
struct Reference {
    /// The label of the manifest; nil if the reference is relative to its own.
    let manifest: String?
    /// The last label of the path.
    let label: String
    /// The hash of the box that it names; nil if it gives none.
    let hash: [UInt8]?
    /// The hash's algorithm; nil for the claim's own.
    let algorithm: String?

    /// Reads a hashed URI of CBOR: a map of `url`, `hash` and perhaps `alg`.
    init?(_ value: Value?) {
        guard let url = value?["url"]?.text else { return nil }
        self.init(url: url, hash: value?["hash"]?.bytes, algorithm: value?["alg"]?.text)
    }

    init?(url: String, hash: [UInt8]? = nil, algorithm: String? = nil) {
        guard url.hasPrefix("self#jumbf=") else { return nil }
        let path = url.dropFirst("self#jumbf=".count)
        let labels = path.split(separator: "/").map(String.init)
        guard let last = labels.last else { return nil }
        let isAbsolute = path.hasPrefix("/")
        guard !isAbsolute || labels.count >= 2 && labels[0] == "c2pa" else { return nil }
        manifest = isAbsolute ? labels[1] : nil
        label = last
        self.hash = hash
        self.algorithm = algorithm
    }
}
