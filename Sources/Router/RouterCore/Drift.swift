internal import BifronsWire
internal import Decisions
internal import Glibc

/// The population stability index (Siddiqi 2006, Credit Risk Scorecards; its distribution: Yurdakul 2018): the sum over
/// bins of (a − e) · ln(a / e), where a is the share of the values seen and e that of the reference.
enum PopulationStability {
    /// The fewest values of which an index is given.
    ///
    /// Without any drift, n values in ten bins have an index of about 9 / n, and one in twenty of them is above
    /// 16.9 / n (chi-squared with nine degrees of freedom). So 500 values stay below 0.034, far from the usual
    /// threshold of 0.1.
    static let minimum = 500
    /// What is added to each bin's count, so that an empty bin has a logarithm.
    private static let continuity = 0.5

    /// Returns the index of these counts against bins that all have the same share.
    static func index(_ counts: [Int]) -> Double {
        let expected = 1 / Double(counts.count)
        let total = Double(counts.reduce(0, +)) + continuity * Double(counts.count)
        return counts.reduce(0) { sum, count in
            let actual = (Double(count) + continuity) / total
            return sum + (actual - expected) * log(actual / expected)
        }
    }
}

/// How the images and scores of the last day differ from what the models were calibrated on, by tenant.
///
/// Memory is bounded by `most` series of each kind. When they are used up, those that have seen nothing within the window
/// make room; what still finds none is not measured.
struct Drift {
    /// The most series of logits, and of images.
    static let most = 256
    private static let formats = ImageInformation.Format.allCases

    private struct Series: Hashable, Comparable {
        let model: String
        let version: String
        let tenant: String?

        static func < (left: Series, right: Series) -> Bool {
            (left.model, left.version, left.tenant ?? "") < (right.model, right.version, right.tenant ?? "")
        }
    }

    /// Counts by bin.
    private var logits: [Series: SlidingCounts] = [:]
    /// Counts by tenant: of images without a face, then of images by format.
    private var images: [String?: SlidingCounts] = [:]
    /// Counts by tenant: of reviewers' answers that agree with the verdict, then of others.
    private var reviews: [String?: SlidingCounts] = [:]

    /// Returns the hour in which an instant of the router's own time lies.
    private static func hour(_ time: Duration) -> Int { Int(time.nanoseconds / 3_600_000_000_000) }

    /// Counts a logit.
    /// - Parameters:
    ///   - version: that of the worker's model. Nothing is counted unless it is that of the reference.
    ///   - time: the time since the router's start, which never falls.
    mutating func count(
        logit: Float, model: String, version: String, _ reference: DriftReference, tenant: String?, at time: Duration
    ) {
        guard version == reference.version else { return }
        let series = Series(model: model, version: version, tenant: tenant)
        Self.add(reference.bin(of: logit), to: series, in: &logits, width: DriftReference.bins, Self.hour(time))
    }

    /// Counts an image that a locator has decoded.
    /// - Parameter isFaceless: whether it found no face.
    mutating func count(_ image: ImageInformation.Format, isFaceless: Bool, tenant: String?, at time: Duration) {
        let (width, hour) = (1 + Self.formats.count, Self.hour(time))
        guard let place = Self.formats.firstIndex(of: image) else { return }
        Self.add(1 + place, to: tenant, in: &images, width: width, hour)
        if isFaceless { Self.add(0, to: tenant, in: &images, width: width, hour) }
    }

    /// Counts a reviewer's answer.
    /// - Parameter isAgreed: whether it names the label of the verdict.
    mutating func count(isAgreed: Bool, tenant: String?, at time: Duration) {
        Self.add(isAgreed ? 0 : 1, to: tenant, in: &reviews, width: 2, Self.hour(time))
    }

    private static func add<Key: Hashable>(
        _ place: Int, to key: Key, in table: inout [Key: SlidingCounts], width: Int, _ hour: Int
    ) {
        if table[key] == nil {
            if table.count >= most {
                table = table.filter { $0.value.totals(hour: hour).contains { $0 > 0 } }
                guard table.count < most else { return }
            }
            table[key] = SlidingCounts(width: width, hour: hour)
        }
        table[key]?.add(place, hour: hour)
    }

    /// Returns the report on all tenants, or on one.
    func report(id: String?, of tenants: Tenants, at time: Duration) -> DriftReport {
        let hour = Self.hour(time)
        func isMeant(_ tenant: String?) -> Bool {
            switch tenants {
            case .all: true
            case .one(let only): tenant == only
            }
        }
        let models = logits.filter { isMeant($0.key.tenant) }.sorted { $0.key < $1.key }.compactMap { series, counts in
            Self.entry(series, counts.totals(hour: hour))
        }
        let images = images.filter { isMeant($0.key) }.sorted { ($0.key ?? "") < ($1.key ?? "") }.compactMap {
            tenant, counts -> DriftReport.Images? in
            let row = counts.totals(hour: hour)
            let count = row[1...].reduce(0, +)
            guard count > 0 else { return nil }
            let formats = Dictionary(uniqueKeysWithValues: zip(Self.formats.map(\.rawValue), row[1...]))
            return DriftReport.Images(tenant: tenant, count: count, withoutFace: row[0], formats: formats)
        }
        let reviews = reviews.filter { isMeant($0.key) }.sorted { ($0.key ?? "") < ($1.key ?? "") }.compactMap {
            tenant, counts -> DriftReport.Reviews? in
            let row = counts.totals(hour: hour)
            return row == [0, 0] ? nil : DriftReport.Reviews(tenant: tenant, count: row[0] + row[1], agreed: row[0])
        }
        return DriftReport(
            id: id, windowS: SlidingCounts.hours * 3600, minimumFaces: PopulationStability.minimum, models: models,
            images: images, reviews: reviews)
    }

    private static func entry(_ series: Series, _ counts: [Int]) -> DriftReport.Model? {
        let faces = counts.reduce(0, +)
        guard faces > 0 else { return nil }
        let isEnough = faces >= PopulationStability.minimum
        return DriftReport.Model(
            model: series.model, version: series.version, tenant: series.tenant, faces: faces,
            shares: isEnough ? counts.map { Double($0) / Double(faces) } : nil,
            psi: isEnough ? PopulationStability.index(counts) : nil)
    }
}

extension RouterCore {
    /// Counts the images and scores of a request that has ended. Results that are only repeated count once.
    mutating func noteDrift(of request: Request) {
        guard request.header.verb == .classify, !request.scoring.isEmpty, let cut = request.cut else { return }
        let (tenant, time) = (request.principal.jobOwner.tenant, statistics.history.elapsed)
        if let found = cut.crops.facesFound {
            drift.count(cut.crops.image.format, isFaceless: found == 0, tenant: tenant, at: time)
        }
        for step in request.steps[request.scoring] {
            guard case .scored(let score, let cut, let frame, let worker, _) = step.state,
                let reference = ensemble.references[step.pool],
                !cut.specifications[frame].needsFaces || !cut.crops.faces.isEmpty
            else { continue }
            for crop in score.crops {
                drift.count(
                    logit: crop.logit, model: ensemble.pools[step.pool], version: worker.version, reference,
                    tenant: tenant, at: time)
            }
        }
    }
}
