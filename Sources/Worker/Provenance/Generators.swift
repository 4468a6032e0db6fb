/// The names and texts by which image generators can be told. Anyone can write them, so they count as unsigned.
enum Generators {
    /// What a text says.
    struct Finding {
        var claim: ProvenanceReport.Claim
        var source: ProvenanceReport.Source
        var generator: String?
    }

    /// Beginnings of the names that generators write as the program that made a picture.
    private static let programs = [
        "adobe firefly", "automatic1111", "bing image creator", "comfyui", "dall-e", "dall\u{B7}e", "draw things",
        "dreamstudio", "flux.1", "fooocus", "gpt-image", "ideogram", "imagen", "invokeai", "leonardo.ai", "midjourney",
        "novelai", "openai", "sd.next", "sdxl", "stable diffusion", "stable-diffusion", "stability ai",
        "stablediffusion", "swarmui", "tensor.art",
    ]

    /// Returns the name if it is a generator's.
    static func program(_ name: String) -> String? {
        let lowercased = name.prefix(128).lowercased()
        for program in programs where lowercased.hasPrefix(program) {
            let next = lowercased.dropFirst(program.count).unicodeScalars.first
            // "Imagenomic" is not "Imagen".
            if next?.properties.isAlphabetic != true { return name }
        }
        return nil
    }

    /// Returns what a credit line of IPTC or XMP claims: Google's programs and others write "Made with Google AI" or
    /// "Edited with Google AI".
    static func credit(_ line: String) -> ProvenanceReport.Claim {
        let lowercased = line.prefix(128).lowercased()
        let vendors = ["google ai", "meta ai", "samsung ai"]
        for vendor in vendors {
            if lowercased.hasPrefix("made with \(vendor)") || lowercased.hasPrefix("generated with \(vendor)") {
                return .aiGenerated
            }
            if lowercased.hasPrefix("edited with \(vendor)") { return .aiEdited }
        }
        return .none
    }

    /// Returns what a free text of a picture claims: the parameters of Stable Diffusion's programs, the workflow of
    /// ComfyUI, the job of Midjourney, or the label of TC260.
    static func text(_ text: String, from source: ProvenanceReport.Source) -> Finding? {
        if let label = TC260.label(text, isBare: false) { return label }
        var text = text
        return text.withUTF8 { bytes in
            let bytes = ByteView(buffer: UnsafeRawBufferPointer(bytes))
            let generator: String? =
                if bytes.contains("Steps: "), bytes.contains("Sampler: ") || bytes.contains("CFG scale: ") {
                    "Stable Diffusion"
                } else if isWorkflow(bytes) {
                    "ComfyUI"
                } else if bytes.firstOffset(of: "Job ID: ").map({ isIdentifier(bytes.dropping($0 + 8)) }) == true {
                    "Midjourney"
                } else {
                    nil
                }
            return generator.map { Finding(claim: .aiGenerated, source: source, generator: $0) }
        }
    }

    /// Whether a text is a graph of ComfyUI in JSON. In EXIF it follows its name, as in `workflow:{"nodes":…`.
    private static func isWorkflow(_ text: ByteView) -> Bool {
        for name in ["workflow:", "Workflow:", "prompt:", "Prompt:", ""] where text.has(name + "{") {
            return text.contains("\"class_type\"") || text.contains("\"nodes\"")
        }
        return false
    }

    /// Whether the text begins with a UUID, by the places of its hyphens.
    private static func isIdentifier(_ text: ByteView) -> Bool {
        text.count >= 36 && [8, 13, 18, 23].allSatisfy { text[$0] == UInt8(ascii: "-") }
    }

    /// Returns what a chunk of text of a PNG claims.
    static func chunk(_ text: Container.Text) -> Finding? {
        func generated(by generator: String) -> Finding {
            Finding(claim: .aiGenerated, source: .pngText, generator: generator)
        }
        return text.value.withUnsafeBytes { buffer in
            let value = ByteView(buffer: buffer)
            switch text.keyword {
            case "parameters":
                return Self.text(value.text, from: .pngText) ?? generated(by: "Stable Diffusion")
            case "prompt", "workflow":
                return isWorkflow(value) ? generated(by: "ComfyUI") : nil
            case "Dream", "sd-metadata", "invokeai_metadata", "invokeai_graph", "invokeai_workflow":
                return generated(by: "InvokeAI")
            case "fooocus_scheme":
                return generated(by: "Fooocus")
            case "AIGC":
                return TC260.label(value.text, isBare: true)
            case "Software", "Source":
                return program(value.text).map { generated(by: $0) }
            case "Title", "Description", "Comment", "UserComment":
                return Self.text(value.text, from: .pngText)
            default:
                return nil
            }
        }
    }
}

/// The labels of the Chinese standard for generated content (GB 45438-2025, by the committee TC260).
enum TC260 {
    /// Returns what a label in JSON claims.
    ///
    /// `Label` is "1" for content that is generated, "2" for content that may be, "3" for content that a platform
    /// suspects to be. All three claim generation; the label is unsigned in any case. `ContentProducer` is who made it.
    ///
    /// - Parameter isBare: Whether the text is the label itself; otherwise it is the value of `AIGC` in an object.
    static func label(_ text: String, isBare: Bool) -> Generators.Finding? {
        guard isBare || text.prefix(64).contains("\"AIGC\"") else { return nil }
        var text = text
        let value = text.withUTF8 { bytes in
            JSON.value(ByteView(buffer: UnsafeRawBufferPointer(bytes)))
        }
        let label = value?["AIGC"] ?? value
        guard let kind = label?["Label"] else { return nil }
        let isLabel = ["1", "2", "3"].contains(kind.text ?? "") || [1, 2, 3].contains(kind.int ?? 0)
        guard isLabel else { return nil }
        return .init(claim: .aiGenerated, source: .tc260, generator: label?["ContentProducer"]?.text)
    }
}
