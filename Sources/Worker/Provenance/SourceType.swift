/// The vocabulary of IPTC for how a picture came about, <http://cv.iptc.org/newscodes/digitalsourcetype/>, which XMP
/// and C2PA both use.
enum SourceType {
    /// Returns what a term claims. It may be bare, or an IRI of IPTC's or C2PA's.
    ///
    /// - A picture is generated if it is `trainedAlgorithmicMedia`: created by a model trained on sampled content.
    /// - It is edited if a model made a part of it: `compositeWithTrainedAlgorithmicMedia`, and `compositeSynthetic`,
    ///   of which one element at least is synthetic.
    /// - It is captured if a camera recorded it, or a scanner a film: `digitalCapture`, `computationalCapture`,
    ///   `negativeFilm`, `positiveFilm`. A print's scan (`print`) can show anything.
    /// - All others claim nothing: `algorithmicMedia` is made by an algorithm without training data, such as a fractal;
    ///   `digitalCreation`, `digitalArt`, `softwareImage`, `dataDrivenMedia`, `virtualRecording` and `screenCapture`
    ///   say nothing about models; `humanEdits`, `minorHumanEdits`, `algorithmicallyEnhanced`, `composite` and
    ///   `compositeCapture` are about editing without them.
    static func claim(of term: String) -> ProvenanceReport.Claim {
        switch local(term) {
        case "trainedalgorithmicmedia": .aiGenerated
        case "compositewithtrainedalgorithmicmedia", "compositesynthetic": .aiEdited
        case "digitalcapture", "computationalcapture", "negativefilm", "positivefilm": .captured
        default: .none
        }
    }

    private static let vocabularies = ["cv.iptc.org/newscodes/digitalsourcetype/", "c2pa.org/digitalsourcetype/"]

    private static func local(_ term: String) -> String {
        var rest = Substring(term.prefix(256).lowercased())
        for scheme in ["http://", "https://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        if let vocabulary = vocabularies.first(where: { rest.hasPrefix($0) }) {
            rest = rest.dropFirst(vocabulary.count)
        }
        return String(rest)
    }
}

extension ProvenanceReport.Claim {
    /// The claim of two that says more: that a model made the picture says more than that a camera did.
    func stronger(_ other: Self) -> Self { rank >= other.rank ? self : other }

    private var rank: Int {
        switch self {
        case .aiGenerated: 3
        case .aiEdited: 2
        case .captured: 1
        case .none: 0
        }
    }

    var isOfModel: Bool { self == .aiGenerated || self == .aiEdited }
}

/// Text for a report.
enum ReportText {
    /// The most bytes of a text.
    private static let longest = 128

    /// Returns the text without control characters and cut to whole characters; nil if nothing is left.
    static func cut(_ text: String) -> String? {
        var result = ""
        for scalar in text.unicodeScalars.prefix(longest) where scalar.properties.generalCategory != .control {
            guard result.utf8.count + UTF8.width(scalar) <= longest else { break }
            result.unicodeScalars.append(scalar)
        }
        let trimmed = result.drop { $0 == " " }
        return trimmed.isEmpty ? nil : String(trimmed)
    }
}
