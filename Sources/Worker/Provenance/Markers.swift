/// Looks for markers that are not signed.
enum Markers {
    /// Returns the marker with the strongest claim; of equal ones the first, in the order XMP, IPTC, EXIF, PNG text.
    /// Nil if there is none.
    static func strongest(_ container: Container, _ effort: Effort) throws(EvidenceError) -> Generators.Finding? {
        var strongest: Generators.Finding?
        func add(_ finding: Generators.Finding?) {
            guard let finding, finding.claim != .none else { return }
            if let known = strongest, known.claim.stronger(finding.claim) == known.claim { return }
            strongest = finding
        }
        for packet in container.xmp {
            let found = try packet.withUnsafeBytesThrowing { (bytes) throws(EvidenceError) in
                findings(in: try XMPPacket(ByteView(buffer: bytes), effort))
            }
            found.forEach(add)
        }
        let fields = try container.iptc.withUnsafeBytesThrowing { (bytes) throws(EvidenceError) in
            try IPTC.fields(ByteView(buffer: bytes), effort)
        }
        for (field, value) in fields { add(finding(in: field, value)) }
        for block in container.exif {
            for (tag, value) in try EXIF(block, effort).texts {
                try effort.checkTime()
                add(finding(in: tag, value))
            }
        }
        for text in container.text {
            try effort.checkTime()
            add(Generators.chunk(text))
        }
        return strongest
    }

    private static func findings(in packet: XMPPacket) -> [Generators.Finding] {
        let tool = packet.first(.creatorTool)
        let system = packet.first(.aiSystemUsed)
        var findings: [Generators.Finding] = []
        for term in packet.all(.digitalSourceType) + packet.all(.digitalSourceFileType) {
            findings.append(.init(claim: SourceType.claim(of: term), source: .xmp, generator: system ?? tool))
        }
        // A term decides; the system alone says that one was used.
        let isSaid = findings.contains { $0.claim != .none }
        if let system, !isSaid { findings.append(.init(claim: .aiGenerated, source: .xmp, generator: system)) }
        findings += packet.all(.aigc).compactMap { TC260.label($0, isBare: true) }
        for line in packet.all(.credit) {
            findings.append(.init(claim: Generators.credit(line), source: .xmp, generator: system ?? tool))
        }
        if let tool, let program = Generators.program(tool) {
            findings.append(.init(claim: .aiGenerated, source: .xmp, generator: program))
        }
        findings += packet.all(.description).compactMap { Generators.text($0, from: .xmp) }
        return findings
    }

    private static func finding(in field: IPTC.Field, _ value: String) -> Generators.Finding? {
        switch field {
        case .credit: .init(claim: Generators.credit(value), source: .iptc)
        case .originatingProgram, .source:
            Generators.program(value).map { .init(claim: .aiGenerated, source: .iptc, generator: $0) }
        case .caption: Generators.text(value, from: .iptc)
        }
    }

    private static func finding(in tag: EXIF.Tag, _ value: String) -> Generators.Finding? {
        switch tag {
        case .software: Generators.program(value).map { .init(claim: .aiGenerated, source: .exif, generator: $0) }
        // ComfyUI writes its graphs where cameras write their names, which say nothing about a model.
        case .make, .model, .description, .userComment: Generators.text(value, from: .exif)
        }
    }
}
