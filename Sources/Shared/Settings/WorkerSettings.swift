import ArgumentParser
package import Logging
import ProcessSupport

/// The settings of `bifrons-worker`. Each declaration contains the text that explains it. An optional value is nil if
/// nobody has set it; `cacheFolder` is nil only if there is no home folder either.
package struct WorkerSchema: SettingsSchema {
    package let routers = Setting.endpoint(
        "router", default: "tcp://127.0.0.1:5556", .follow,
        "a router's worker endpoint, or dns://NAME:PORT for all addresses of a name; may be given several times"
    ).list.individual
    package let resolveInterval = Setting.time(
        "resolve-interval", default: "5s", in: .milliseconds(100) ... .seconds(3600),
        "the interval between two look-ups of dns:// names"
    ).individual
    package let model = Setting.folder(
        "model", "the folder of the model that the worker serves, a locator's or a network's"
    ).optional.individual
    package let evidence = Setting.choice(
        "evidence", of: ["provenance", "known"], "the kind of evidence that the worker finds, in the place of a model"
    ).optional.individual
    package let trust = Setting.file(
        "trust",
        "a PEM file of the certificates whose signatures 'provenance' trusts (default: none, so that nothing is trusted)"
    ).optional
    package let banks = Setting.folder(
        "banks", "the folder of banks.json, in which 'known' looks images up"
    ).optional
    package let name = Setting.name("name", "the worker's name in results (default: made from the model's name)")
        .optional.individual
    package let threads = Setting.count(
        "threads", default: 1, in: 1...256, "the number of threads with which a network computes a batch")
    package let decodeThreads = Setting.count(
        "decode-threads", in: 1...256,
        "the number of threads with which a locator decodes images or evidence is found, one image each (default: one for each usable core)"
    ).otherwise { _ in Processors.usable }
    package let maxBatch = Setting.count("max-batch", default: 8, in: 1...64, "the most faces that are scored together")
    package let precision = Setting.choice(
        "precision", of: ["f32", "bf16", "int8"],
        "the number format that the model is computed in (default: the one in its manifest)"
    ).optional
    package let cacheFolder = Setting.folder(
        "cache-folder", "where compiled models are kept (default: $XDG_CACHE_HOME/bifrons or ~/.cache/bifrons)"
    ).optional.otherwise(WorkerSchema.defaultCacheFolder)
    package let imagePixels = Setting.count(
        "image-pixels", default: 50_000_000, in: 1...1_000_000_000, "the largest image that is decoded, in pixels")
    package let imageScans = Setting.count(
        "image-scans", default: 100, in: 1...10_000, "the most scans that a progressive JPEG may have")
    package let imageMemory = Setting.bytes(
        "image-memory", default: "512MiB", in: (1 << 20)...(1 << 40), "the most memory that decoding one image may take"
    )
    package let imageTime = Setting.time(
        "image-time", default: "5s", in: .milliseconds(1) ... .seconds(600),
        "the longest time that decoding one image may take")
    package let sandbox = Setting(
        "sandbox", default: SandboxMode.bestEffort.rawValue,
        "whether the worker gives up all rights that its jobs do not need: as far as the kernel can (best-effort), "
            + "completely or it ends (required), or not (off)",
        allowed: "required or best-effort or off", completion: .list(SandboxMode.allCases.map(\.rawValue)),
        parse: SandboxMode.init(rawValue:))
    package let config = SharedSettings.config
    package let keys = SharedSettings.keys
    package let imageBytes = SharedSettings.imageBytes
    package let logLevel = SharedSettings.logLevel
    package let drainTime = SharedSettings.drainTime

    package init() {}

    package static func check(_ values: SettingValues<WorkerSchema>) throws(SettingsError) {
        _ = try values.task()
    }

    /// Returns the folder according to the XDG Base Directory Specification, which says to ignore relative paths; nil
    /// if the environment has neither variable.
    private static func defaultCacheFolder(_ environment: [String: String]) -> String? {
        if let folder = environment["XDG_CACHE_HOME"], folder.hasPrefix("/") { return folder + "/bifrons" }
        if let home = environment["HOME"], home.hasPrefix("/") { return home + "/.cache/bifrons" }
        return nil
    }
}

/// What a worker does.
package enum WorkerTask: Equatable, Sendable {
    /// It serves the model in this folder.
    case model(String)
    /// It reads what images' files say about their own origin. `trust` is a PEM file of trusted certificates; nil: none
    /// is trusted.
    case provenance(trust: String?)
    /// It looks images up in the banks of this folder.
    case known(banks: String)

    /// Whether SIGHUP makes the worker read its files again. Other workers are ended by that signal.
    package var reloads: Bool {
        if case .known = self { true } else { false }
    }
}

extension SettingValues<WorkerSchema> {
    /// Returns what the worker does: serve a model, or find one kind of evidence. If both are set, the one in the
    /// source of higher precedence counts.
    ///
    /// - Throws: An error if neither is set, both are set in one source, or the evidence lacks a setting.
    package func task() throws(SettingsError) -> WorkerTask {
        let (ofModel, ofEvidence) = (source(of: \.model), source(of: \.evidence))
        if let folder = self.model, let kind = self.evidence, let ofModel, let ofEvidence,
            ofModel.rank == ofEvidence.rank
        {
            throw SettingsError(
                setting: "evidence",
                "\(ofEvidence.place) is '\(kind)' and \(ofModel.place) is '\(folder)', but a worker does one or the "
                    + "other; remove one of them")
        }
        let isExamining = ofEvidence.map { evidence in ofModel.map { evidence.rank < $0.rank } ?? true } ?? false
        switch (isExamining ? self.evidence : nil, self.model) {
        case ("known", _):
            if let banks = self.banks { return .known(banks: banks) }
            throw SettingsError(
                setting: "banks",
                "\(ofEvidence?.place ?? "evidence") is 'known', which needs the folder of banks.json; give --banks, "
                    + "BIFRONS_BANKS or 'banks' in the file of --config")
        case (_?, _): return .provenance(trust: self.trust)
        case (nil, let folder?): return .model(folder)
        case (nil, nil):
            throw SettingsError(
                setting: "model",
                "neither a model nor a kind of evidence is set; give --model or --evidence, BIFRONS_MODEL or "
                    + "BIFRONS_EVIDENCE, or 'model' or 'evidence' in the file of --config")
        }
    }
}

/// Whether a worker enters its sandbox before its first job.
package enum SandboxMode: String, CaseIterable, Sendable {
    /// It ends if the kernel lacks a part of the sandbox.
    case required
    /// It does without the parts that the kernel lacks.
    case bestEffort = "best-effort"
    /// It enters none.
    case off
}

/// The command line of `bifrons-worker`.
package typealias WorkerOptions = SettingOptions<WorkerSchema>
/// The settings of `bifrons-worker`, validated.
package typealias WorkerSettings = SettingValues<WorkerSchema>
