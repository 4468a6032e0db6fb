internal import BifronsWire

extension PrometheusText {
    /// Writes a router's report on drift. The number of tenants bounds that of the series: operators name them.
    mutating func write(_ report: DriftReport) {
        family(
            "bifrons_drift_psi", .gauge,
            "Population stability index of a model's logits of a day against its calibration.")
        for entry in report.models {
            guard let psi = entry.psi else { continue }
            sample(
                "bifrons_drift_psi", psi,
                ["model": entry.model, "version": entry.version, "tenant": entry.tenant ?? ""])
        }
        family("bifrons_drift_faces", .gauge, "Faces of a day that the index is computed of, or will be.")
        for entry in report.models {
            sample(
                "bifrons_drift_faces", Double(entry.faces),
                ["model": entry.model, "version": entry.version, "tenant": entry.tenant ?? ""])
        }
        family("bifrons_drift_images", .gauge, "Images of a day.")
        for entry in report.images {
            sample("bifrons_drift_images", Double(entry.count), ["tenant": entry.tenant ?? ""])
        }
        family("bifrons_drift_no_face_ratio", .gauge, "Share of the images of a day without a face.")
        for entry in report.images {
            sample(
                "bifrons_drift_no_face_ratio", Double(entry.withoutFace) / Double(max(1, entry.count)),
                ["tenant": entry.tenant ?? ""])
        }
        family("bifrons_reviews", .gauge, "Reviewers' answers of a day that name a label.")
        for entry in report.reviews ?? [] {
            sample("bifrons_reviews", Double(entry.count), ["tenant": entry.tenant ?? ""])
        }
        family("bifrons_review_agreement_ratio", .gauge, "Share of these answers that agree with the verdict.")
        for entry in report.reviews ?? [] {
            sample(
                "bifrons_review_agreement_ratio", Double(entry.agreed) / Double(max(1, entry.count)),
                ["tenant": entry.tenant ?? ""])
        }
        family("bifrons_drift_format_ratio", .gauge, "Share of each format in the images of a day.")
        for entry in report.images {
            for (format, count) in entry.formats.sorted(by: { $0.key < $1.key }) {
                sample(
                    "bifrons_drift_format_ratio", Double(count) / Double(max(1, entry.count)),
                    ["format": format, "tenant": entry.tenant ?? ""])
            }
        }
    }
}
