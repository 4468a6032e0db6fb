internal import BifronsWire
internal import FoundationEssentials
internal import HTTPTypes
internal import Hexadecimal
internal import Hummingbird
internal import Settings

/// The lookup of known images with the paths and answers of Hasher-Matcher-Actioner 2 (HMA, Meta's open-source service),
/// so that its clients can ask Bifrons. The workers for the evidence `known` have the banks.
extension Gateway {
    /// The type of a signal, by HMA's name or, for the second, by that of the banks' files.
    enum SignalType: String, CaseIterable {
        case pdq, sha256
    }

    /// A match as HMA writes it.
    struct KnownMatch: Encodable, Equatable {
        /// The number of the item in its bank.
        let item: Int
        /// The number of bits in which the hashes differ, in digits.
        let distance: String
        /// The name of the bank, which HMA does not give: numbers are of one bank.
        var bank: String?

        private enum CodingKeys: String, CodingKey {
            case item = "bank_content_id"
            case distance, bank
        }
    }

    /// Handles `GET /m/lookup`: the matches of a signal, by bank.
    func lookUpKnown(_ request: Request, for owner: String?) async throws -> Response {
        let (type, matches) = try await matches(ofSignalIn: request, for: owner)
        return .json(Self.encode(Self.byBank(matches, type)))
    }

    /// Handles `GET /m/raw_lookup`: the matches of a signal, of all banks.
    func lookUpKnownRaw(_ request: Request, for owner: String?) async throws -> Response {
        let (type, matches) = try await matches(ofSignalIn: request, for: owner)
        let found = matches.filter { $0.sha256 == (type == .sha256) }
        guard try query(request)["include_distance"]?.lowercased() == "true" else {
            return .json(Self.encode(["matches": found.map(\.item)]))
        }
        return .json(
            Self.encode([
                "matches": found.map {
                    KnownMatch(item: $0.item, distance: String($0.distance), bank: $0.bank)
                }
            ]))
    }

    /// Handles `POST /m/lookup`: the matches of an image, by the type of the signal and by bank.
    func lookUpKnownImage(_ request: Request, for owner: String?) async throws -> Response {
        var reader = UploadReader(limits: limits, largestFile: settings.imageBytes)
        let upload = try await reader.read(request)
        guard let file = upload.files.first else { throw Self.fileMissing }
        guard upload.files.count == 1 else {
            throw Problem(
                .badRequest, code: "malformed_form", "the form has \(upload.files.count) files; a lookup is of one")
        }
        let matches = try await matches(of: file.bytes, for: owner)
        let types = SignalType.allCases.map { ($0.rawValue, Self.byBank(matches, $0)) }
        return .json(Self.encode(Dictionary(uniqueKeysWithValues: types)))
    }

    /// Returns the matches of the signal in the query, and its type.
    private func matches(
        ofSignalIn request: Request, for owner: String?
    ) async throws -> (type: SignalType, matches: [KnownEvidence.Match]) {
        let fields = try query(request)
        guard let signal = fields["signal"], !signal.isEmpty else {
            throw Problem(
                .badRequest, code: "malformed_query",
                "the query has no 'signal'; send a hash in it, or post the image itself, because nothing is fetched")
        }
        guard let type = SignalType(rawValue: fields["signal_type"] ?? "") else {
            let types = SignalType.allCases.map(\.rawValue).joined(separator: " or ")
            throw Problem(.badRequest, code: "malformed_query", "'signal_type' must be \(types)")
        }
        guard signal.utf8.count == 64, signal.utf8.allSatisfy({ $0.hexadecimalValue != nil }) else {
            throw Problem(.badRequest, code: "malformed_query", "'signal' must be 64 hexadecimal digits")
        }
        return (type, try await matches(of: Array("\(type.rawValue) \(signal)".utf8), for: owner))
    }

    /// Returns the matches of an image, or of a line of a signal file in its place.
    private func matches(of file: [UInt8], for owner: String?) async throws -> [KnownEvidence.Match] {
        var header = RequestHeader(verb: .examine)
        header.owner = owner
        let answer = try await router.ask(header, image: file)
        // The status of the whole reply may be that of another kind of evidence.
        let document = try ResultDocument.decode(answer.bytes)
        let evidence = document.evidence.first { $0.kind == .known }
        if case .known(let known)? = evidence?.report { return known.matches }
        if let evidence, let error = evidence.error, evidence.status != document.status {
            throw Problem(HTTPResponse.Status(evidence.status), code: error.code, error.message)
        }
        throw answer.problem
            ?? Problem(
                .notFound, code: "no_evidence",
                "this ensemble names no evidence 'known'; name it in ensemble.json")
    }

    private func query(_ request: Request) throws(Problem) -> [String: String] {
        Dictionary(try queryFields(request).map { ($0.name, $0.text) }, uniquingKeysWith: { first, _ in first })
    }

    /// Returns the matches of one type of signal, by the name of the bank.
    static func byBank(_ matches: [KnownEvidence.Match], _ type: SignalType) -> [String: [KnownMatch]] {
        Dictionary(grouping: matches.filter { $0.sha256 == (type == .sha256) }, by: \.bank).mapValues { matches in
            matches.map { KnownMatch(item: $0.item, distance: String($0.distance)) }
        }
    }
}
