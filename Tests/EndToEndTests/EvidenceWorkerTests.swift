import BifronsWire
import Glibc
import ImageDecoding
import KnownImages
import Sandbox
import TestImages
import TestKit
import TestManifests
import Testing

extension EndToEndTests {
    /// Tests the real evidence workers with a real router, locator and network: from an image on a socket to the
    /// evidence and the action in the reply.
    @Suite(.serialized) struct EvidenceWorkerTests {
        private static let program = Files.program("bifrons-worker")
        /// Requires the sandbox where this kernel has all of it.
        private static let sandbox = (Confinement.landlockVersion ?? 0) >= 4 ? ["--sandbox=required"] : []
        private let folder: TemporaryFolder

        init() throws {
            folder = try TemporaryFolder()
            // The networks alone allow everything, so that only evidence decides.
            let ensemble = Files.ensembleWithoutEvidence
                .replacing(#""policies""#, with: #""evidence": ["provenance", "known"], "policies""#)
                .replacing(
                    #""default": {"#,
                    with: """
                        "evidence": {"review": 1, "block": 1, "no_face": "allow", "clauses": [
                            {"if": {"provenance.claim": "ai_generated", "provenance.trust": "trusted"},
                             "at_least": "block", "reason": "signed"},
                            {"if": {"provenance.claim": "ai_generated"}, "at_least": "review", "reason": "said"},
                            {"if": {"known.bank_kind": "block"}, "at_least": "block"},
                            {"if": {"known.bank_kind": "review"}, "at_least": "review"}]},
                        "default": {
                        """)
            try Files.write(Array(ensemble.utf8), to: "\(folder.path)/ensemble.json")
        }

        /// Runs a cluster of real workers, with an evidence worker of each kind and its arguments.
        private func run(
            _ examiners: KeyValuePairs<EvidenceKind, [String]>, heartbeat: String = "500ms", wait: String = "60s",
            _ body: (Cluster, TestClient) throws -> Void
        ) throws {
            let router = ["--models-folder=\(folder.path)", "--evidence-wait=\(wait)"]
            try Cluster.run(heartbeat: heartbeat, router: router, workers: ["resnet"]) { cluster in
                for (kind, arguments) in examiners {
                    try cluster.startExaminer(of: kind, Self.sandbox + ["--decode-threads=2"] + arguments)
                }
                let client = try cluster.client()
                try client.waitForStatus { status in
                    examiners.allSatisfy { kind, _ in status.workers.contains { $0.model == kind.rawValue } }
                }
                try body(cluster, client)
            }
        }

        private func classify(_ client: TestClient, _ image: [UInt8]) throws -> ResultDocument {
            let fields = #""models":["resnet"],"policy":"evidence","budget_ms":60000"#
            let document = try client.ask(Frames.classify(image, fields)).document
            #expect(document.status == .ok && document.verdict != nil, "\(document)")
            return document
        }

        private func provenance(_ document: ResultDocument) throws -> ProvenanceEvidence {
            guard case .provenance(let found)? = document.evidence.first(where: { $0.kind == .provenance })?.report
            else {
                throw Missing()
            }
            return found
        }

        private func known(_ document: ResultDocument) throws -> KnownEvidence {
            guard case .known(let found)? = document.evidence.first(where: { $0.kind == .known })?.report else {
                throw Missing()
            }
            return found
        }

        private func codes(_ document: ResultDocument) -> [String] {
            document.evidence.map { "\($0.kind) \($0.status.rawValue)" + ($0.error.map { " \($0.code)" } ?? "") }
        }

        private struct Missing: Error {}

        // MARK: Provenance

        @Test(arguments: [TestFile.jpeg, .jpegAtEnd, .png])
        func aTrustedClaimBlocksAndOneOfAnUnknownSignerIsReviewed(kind: TestFile) throws {
            let now = time(nil)
            let validity = now - 1000..<now + 100_000
            func root() throws -> TestSigner {
                try TestSigner(organisation: "Root", validity: validity, extensions: TestSigner.authorityExtensions)
            }
            let (ours, theirs) = (try root(), try root())
            try Files.write(ours.pem, to: "\(folder.path)/trust.pem")
            try run([.provenance: ["--trust=\(folder.path)/trust.pem"]]) { _, client in
                for (root, trust, action, reason) in [
                    (ours, ProvenanceEvidence.Trust.trusted, ResultDocument.PolicyAction.block, "signed"),
                    (theirs, .untrusted, .review, "said"),
                ] {
                    let signer = try TestSigner(organisation: "Maker", issuer: root, validity: validity)
                    let file = try kind.signed(.created("trainedAlgorithmicMedia", by: signer))
                    let document = try classify(client, file)
                    let found = try provenance(document)
                    #expect(found.claim == .aiGenerated && found.trust == trust && found.signer == "Maker")
                    #expect(document.verdict?.action == action)
                    #expect(document.verdict?.reasons.contains(reason) == true)
                    // The networks' verdict is that of the pixels.
                    #expect(document.verdict?.label == (try classify(client, plain(kind))).verdict?.label)
                }
                let status = try client.status()
                let worker = try #require(status.workers.first { $0.model == "provenance" })
                #expect(worker.version == Release.version && worker.digest.hasPrefix("sha256:"))
                if !Self.sandbox.isEmpty { #expect(worker.sandbox?.hasSuffix(", seccomp") == true) }
            }
        }

        private func plain(_ kind: TestFile) -> [UInt8] { kind == .png ? plainPNG : plainJPEG }

        @Test func anUnsignedClaimIsReviewedAndNoneOrTooMuchSaysNothing() throws {
            try run([.provenance: []]) { _, client in
                let header = TestImages.pngSignature.count + 25
                func png(_ chunks: [UInt8]) -> [UInt8] { plainPNG[..<header] + chunks + plainPNG[header...] }
                let text = TestImages.chunk("tEXt", Array("parameters\0a face\nSteps: 20, Sampler: Euler a".utf8))
                let said = try classify(client, png(text))
                #expect(try provenance(said).claim == .aiGenerated && provenance(said).trust == .unsigned)
                #expect(said.verdict?.action == .review && said.verdict?.reasons.contains("said") == true)

                let silent = try classify(client, plainPNG)
                #expect(try provenance(silent).claim == .none)
                #expect(silent.verdict?.action == .allow)

                let comment = TestImages.chunk("tEXt", Array("Comment\0a".utf8))
                let complex = try classify(client, png(Array(Array(repeating: comment, count: 300).joined())))
                #expect(codes(complex).first == "provenance 422 evidence_too_complex")
                #expect(complex.verdict?.action == .allow && complex.verdict?.reasons == ["evidence_missing"])
            }
        }

        @Test func aStoppedOrKilledWorkerCostsOnlyItsEvidence() throws {
            try run([.provenance: []], heartbeat: "60s", wait: "100ms") { cluster, client in
                let worker = try #require(cluster.workers.last)
                let face = try portrait()
                let before = try classify(client, face)
                #expect(before.verdict?.aiProbability != nil)
                worker.signal(SIGSTOP)
                let stopped = try classify(client, face)
                #expect(codes(stopped) == ["provenance 408 evidence_late", "known 503 no_worker"])
                #expect(stopped.verdict?.reasons == ["evidence_missing"])
                #expect(stopped.verdict?.aiProbability == before.verdict?.aiProbability)
                worker.signal(SIGKILL)
                _ = try worker.waitForEnd()
                try client.waitForStatus { status in !status.workers.contains { $0.model == "provenance" } }
                let killed = try classify(client, face)
                #expect(codes(killed) == ["provenance 503 no_worker", "known 503 no_worker"])
                #expect(killed.verdict?.aiProbability == before.verdict?.aiProbability)
            }
        }

        /// A portrait from a Debian package.
        private func portrait() throws -> [UInt8] {
            let folders = ["/usr/share/matplotlib/mpl-data/sample_data", "/usr/share/matplotlib/sample_data"]
            let file = folders.map { Files.bytes("\($0)/grace_hopper.jpg") }.first { !$0.isEmpty }
            return try #require(file, "run `make packages`: the portrait is missing")
        }

        // MARK: Known images

        /// An image with enough detail for a hash.
        private static let mosaic = Pattern { x, y, width, height in
            let value = UInt8((x * 12 / width * 31 + y * 12 / height * 17) * 73 % 256)
            return (value, value, value)
        }

        private func write(_ signals: String) throws {
            mkdir("\(folder.path)/banks", 0o755)
            let banks = #"{"schema": 1, "banks": [{"name": "SPAM", "kind": "block", "files": ["spam.txt"]}]}"#
            try Files.write(Array(banks.utf8), to: "\(folder.path)/banks/banks.json")
            // As a tool replaces a file: the old one stays as it is until the new one is complete.
            try Files.write(Array(signals.utf8), to: "\(folder.path)/banks/new")
            #expect(rename("\(folder.path)/banks/new", "\(folder.path)/banks/spam.txt") == 0)
        }

        @Test func aKnownImageIsBlockedAlsoWhenItWasCompressed() throws {
            let image = TestImages.png(width: 240, height: 200, pattern: Self.mosaic)
            let compressed = TestImages.jpeg(width: 240, height: 200, quality: 60, pattern: Self.mosaic)
            let hash = PDQ(of: try ImageDecoder().decode(image).image)
            try write("# one\nsha256 \(String(repeating: "0", count: 64))\n")
            try run([.known: ["--banks=\(folder.path)/banks"]]) { cluster, client in
                func digest(_ status: StatusReport) -> String? { status.workers.first { $0.model == "known" }?.digest }
                let worker = try #require(cluster.workers.last)
                let first = try #require(digest(try client.status()))
                let before = try classify(client, image)
                #expect(before.verdict?.action == .allow)
                #expect(try known(before).matches.isEmpty && known(before).quality == hash.quality)

                // The signal arrives in the sandbox, in which only this folder can be read.
                try write("pdq \(hash.hash)\n")
                worker.signal(SIGHUP)
                try client.waitForStatus { digest($0).map { $0 != first } ?? false }
                for file in [image, compressed] {
                    let document = try classify(client, file)
                    let match = try #require(try known(document).matches.first)
                    #expect(match.bank == "SPAM" && match.bankKind == .block && match.item == 1 && match.distance <= 31)
                    #expect(document.verdict?.action == .block && document.verdict?.reasons.contains("known") == true)
                }
                let second = try #require(digest(try client.status()))

                try write("nonsense\n")
                worker.signal(SIGHUP)
                try worker.wait { worker.standardError.contains("banks are wrong, the earlier ones stay in force") }
                #expect(worker.standardError.contains("spam.txt"))
                #expect(try classify(client, image).verdict?.action == .block)
                #expect(digest(try client.status()) == second)
                worker.signal(SIGTERM)
                #expect(try worker.waitForEnd() == .exit(0))
            }
        }

        @Test func lookupsNeedNoNetworkAndGiveWhatHMAsClientsExpect() throws {
            let image = TestImages.png(width: 240, height: 200, pattern: Self.mosaic)
            let hash = PDQ(of: try ImageDecoder().decode(image).image).hash
            try write("pdq \(hash)\n")
            try Cluster.run(router: ["--models-folder=\(folder.path)", "--evidence-wait=60s"]) { cluster in
                try cluster.startExaminer(of: .known, Self.sandbox + ["--banks=\(folder.path)/banks"])
                let client = try cluster.client()
                try client.waitForStatus { status in status.workers.contains { $0.model == "known" } }
                let gateway = try cluster.startGateway()
                let matches = #"{"SPAM":[{"bank_content_id":1,"distance":"0"}]}"#
                let signal = try gateway.ask("GET", "/m/lookup?signal_type=pdq&signal=\(hash)")
                #expect(signal.status == 200 && signal.text == matches)
                let posted = try gateway.ask("POST", "/m/lookup", ["Content-Type: image/png"], body: image)
                #expect(posted.status == 200 && posted.text == #"{"pdq":\#(matches),"sha256":{}}"#, "\(posted.text)")
                let other = try gateway.ask("GET", "/m/raw_lookup?signal_type=sha256&signal=\(hash)")
                #expect(other.status == 200 && other.text == #"{"matches":[]}"#)
                let cut = Array(image.dropLast(99))
                let broken = try gateway.ask("POST", "/m/lookup", ["Content-Type: image/png"], body: cut)
                #expect(broken.status == 422 && broken.text.contains("image_truncated"), "\(broken.text)")

                let examined = try client.ask(Frames.request(#"{"verb":"examine"}"#, image: image)).document
                #expect(examined.status == .ok && examined.verdict == nil && examined.models.isEmpty)
                #expect(codes(examined) == ["provenance 503 no_worker", "known 200"])
            }
        }

        // MARK: The command line

        @Test(
            arguments: [
                (
                    ["--evidence=provenance", "--trust=/nowhere"], 78,
                    "/nowhere cannot be read (No such file or directory); name"
                ),
                (
                    ["--evidence=provenance", "--trust=/etc/passwd"], 78,
                    "/etc/passwd is no list of certificates: it has no"
                ),
                (["--evidence=known", "--banks=/nowhere"], 78, "/nowhere/banks.json cannot be read (No such file or"),
                (["--evidence=known"], 2, "--evidence is 'known', which needs the folder of banks.json; give --banks"),
                (["--evidence=seal"], 2, "--evidence is 'seal'; it must be provenance or known"),
                (
                    ["--evidence=provenance", "--model=m"], 2,
                    "--evidence is 'provenance' and --model is 'm', but a worker"
                ),
                ([], 2, "neither a model nor a kind of evidence is set; give --model or --evidence"),
            ] as [([String], Int32, String)])
        func aWrongSettingIsOneSentence(arguments: [String], status: Int32, sentence: String) throws {
            let worker = try ChildProcess(Self.program, arguments, name: "worker", folder: folder.path)
            #expect(try worker.waitForEnd() == .exit(status))
            let lines = worker.standardError.split(separator: "\n")
            #expect(lines.first?.contains(sentence) == true && lines.count <= 3, "\(worker.standardError)")
        }

        @Test func upStartsAWorkerForEachKindOfEvidence() throws {
            for model in ["locator", "resnet", "inception"] {
                #expect(symlink("\(Files.models)/\(model)", "\(folder.path)/\(model)") == 0)
            }
            try write("")
            let endpoint = "ipc://\(folder.path)/clients"
            let up = try ChildProcess(
                Files.program("bifrons"),
                [
                    "up", "--client-endpoint=\(endpoint)", "--worker-endpoint=ipc://\(folder.path)/workers",
                    "--http-port=0", "--workers=1", "--models-folder=\(folder.path)", "--evidence-wait=60s",
                    "--cache-folder=\(Files.root)/.cache/tests", "--banks=\(folder.path)/banks",
                ], name: "up", folder: folder.path, diesWithTests: false)
            try up.wait { up.standardOutput.contains("submit to \(endpoint)") }
            #expect(up.standardOutput.contains("1 worker for provenance, 1 worker for known\n"))
            let table = try ChildProcess(
                Files.program("bifrons"), ["status", "--router=\(endpoint)"], name: "status", folder: folder.path,
                diesWithTests: false)
            #expect(try table.waitForEnd() == .exit(0))
            for kind in ["provenance", "known"] {
                let lines = table.standardOutput.split(separator: "\n").filter { $0.contains(kind) }
                #expect(lines.count == 2, "\(table.standardOutput)")
            }
            let classify = try ChildProcess(
                Files.program("bifrons"),
                ["classify", "--router=\(endpoint)", "--json", try picture()], name: "classify", folder: folder.path,
                diesWithTests: false)
            _ = try classify.waitForEnd()
            for report in [#""claim":"none""#, #""matches":[]"#] {
                #expect(classify.standardOutput.contains(report), "\(classify.standardOutput)")
            }
            up.signal(SIGTERM)
            #expect(try up.waitForEnd() == .exit(0), "\(up.standardError)")
        }

        private func picture() throws -> String {
            let path = "\(folder.path)/picture.png"
            try Files.write(TestImages.png(width: 240, height: 200, pattern: Self.mosaic), to: path)
            return path
        }
    }
}
