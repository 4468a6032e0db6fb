import TestKit
import Testing

@testable import BifronsWire

struct WorkerMessagesTests {
    private static let box = Box(x: -5, y: 0, width: .max, height: .min)
    private static let image = ImageInformation(
        format: .webp, isAnimated: true, width: .max, height: 0, sha256: Array(repeating: 1, count: 32))
    private static let wide = CropSpecification(kind: .centralSquare, width: .max, height: 1, preprocessing: .max)
    private static let near = CropSpecification(kind: .face(margin: 1), width: 1, height: .max, preprocessing: 0)

    /// The largest CROPS.
    private static let largestCrops = WorkerMessage.Crops(
        epoch: .max, job: .max,
        faces: (0..<Limits.faces).map { _ in WorkerMessage.Face(box: box, turned: -179.9) }, facesFound: 65_534,
        image: image,
        sets: Array(
            repeating: WorkerMessage.CropSet(squares: Array(repeating: box, count: Limits.faces)),
            count: Limits.cropSets),
        timings: .init(queueMicroseconds: .max, computeMicroseconds: .max, batch: .max))

    /// The largest SCORE.
    private static let largestScore = WorkerMessage.Score(
        epoch: .max, job: 0,
        crops: (0..<Limits.faces).map {
            let side = Limits.mapSide
            let map = EvidenceMap(width: side, height: side, cells: Array(repeating: 9, count: side * side))
            return WorkerMessage.CropScore(logit: Float($0), map: map)
        }, timings: .init(queueMicroseconds: 1, computeMicroseconds: 2, batch: 3))

    private static let crops: [WorkerMessage.Crops] = [
        .init(
            epoch: 1, job: .max, faces: [], facesFound: nil, image: .sample, sets: [.init(squares: [.wholeSample])],
            timings: .sample),
        .init(
            epoch: 1, job: 2, faces: [], facesFound: 0, image: image, sets: [.init(squares: [box])],
            timings: .init(queueMicroseconds: 0, computeMicroseconds: .max, batch: 1)),
        .init(
            epoch: 2, job: 3,
            faces: [
                .init(box: box, turned: 180), .init(box: box), .init(box: box, turned: -0.1),
                .init(box: box, turned: 47.3),
            ], facesFound: 5, image: .sample,
            sets: [.init(squares: [box, box, .wholeSample, box]), .init(squares: [.wholeSample])], timings: .sample),
        largestCrops,
    ]

    private static let scores: [WorkerMessage.Score] = [
        .init(epoch: 1, job: .max, crops: [.init(logit: -1.25)], timings: .sample),
        .init(
            epoch: 2, job: 3,
            crops: [
                .init(logit: 2, map: EvidenceMap(width: 3, height: 1, cells: [0, 128, 255])), .init(logit: 1),
                .init(logit: -.greatestFiniteMagnitude, map: EvidenceMap(width: 1, height: 1, cells: [7])),
            ], timings: .init(queueMicroseconds: 1, computeMicroseconds: 2, batch: 3)),
        largestScore,
    ]

    static let fromWorkers: [WorkerMessage] =
        [
            .hello(
                WorkerMessage.Hello(
                    role: .network(.sample), model: "resnet", version: "1.0.0",
                    digest: "sha256:" + String(repeating: "0f", count: 32), worker: "resnet-é", credit: .max,
                    bootID: .max, metrics: ["roc_auc": 0.97, "brier": -1e-300])),
            .hello(
                WorkerMessage.Hello(
                    role: .network(wide), model: "", version: "", digest: "", worker: "", credit: 0, bootID: 0)),
            .hello(
                WorkerMessage.Hello(
                    role: .locator(preprocessing: .max), model: "locator", version: "2", digest: "d", worker: "w",
                    credit: 1, bootID: 1, sandbox: .init(landlock: 7, seccomp: true))),
            .hello(
                WorkerMessage.Hello(
                    role: .locator(preprocessing: 3), model: "locator", version: "2", digest: "d", worker: "w",
                    credit: 1, bootID: 1, metrics: ["recall": 0.9], sandbox: .init(landlock: 0, seccomp: false))),
            .hello(
                WorkerMessage.Hello(
                    role: .evidence, model: "provenance", version: "1", digest: "d", worker: "w", credit: 2, bootID: 2)),
        ] + crops.map { .crops($0) } + scores.map { .score($0) }
        + EvidenceReportTests.reports.map {
            .evidence(WorkerMessage.Evidence(epoch: 1, job: .max, report: $0, timings: .sample))
        } + [
            .fail(
                WorkerMessage.Failure(
                    epoch: 3, job: 4,
                    error: WireError(.unprocessable, code: "image_truncated", "it ends \"early\" – é"))),
            .fail(WorkerMessage.Failure(epoch: 3, job: 4, error: WireError(Status(rawValue: 65_535), code: "", ""))),
            .ping(epoch: 1, inFlight: 2, progress: 3),
            .credit(epoch: 9, jobs: 10),
            .drain(epoch: 11),
            .bye(epoch: 12),
        ]

    private static let job = RouterMessage.Job(job: .max, attempt: 2, remainingMilliseconds: 600_000)
    static let fromRouters: [RouterMessage] = [
        .welcome(epoch: .max, heartbeatMilliseconds: 500),
        .locate(job, [.sample]),
        .locate(
            RouterMessage.Job(job: 0, attempt: 1, remainingMilliseconds: 0),
            [wide, near, .sample, .centralSample, near, near, near, near]),
        .score(job),
        .examine(job),
        .pong(epoch: 5),
        .resync,
        .bye(reason: "the ensemble does not name the model 'x'; é", isFinal: false),
        .bye(reason: "", isFinal: true),
    ]

    @Test(arguments: fromWorkers) func everyWorkerMessageIsReadBack(message: WorkerMessage) throws {
        #expect(try decodeWorkerMessage(message.encoded()) == message)
    }

    @Test(arguments: fromRouters) func everyRouterMessageIsReadBack(message: RouterMessage) throws {
        #expect(try decodeRouterMessage(message.encoded()) == message)
    }

    @Test(arguments: fromWorkers) func everyTruncatedWorkerMessageIsMalformed(message: WorkerMessage) {
        let bytes = message.encoded()
        for count in bytes.indices {
            #expect(throws: MalformedMessage.self) { try decodeWorkerMessage(Array(bytes.prefix(count))) }
        }
        #expect(throws: MalformedMessage(reason: "1 bytes behind the end")) { try decodeWorkerMessage(bytes + [0]) }
    }

    @Test(arguments: fromRouters) func everyTruncatedRouterMessageIsMalformed(message: RouterMessage) {
        let bytes = message.encoded()
        for count in bytes.indices {
            #expect(throws: MalformedMessage.self) { try decodeRouterMessage(Array(bytes.prefix(count))) }
        }
        #expect(throws: MalformedMessage(reason: "1 bytes behind the end")) { try decodeRouterMessage(bytes + [0]) }
    }

    /// What is decoded must also be encodable: encoding it and decoding that again gives the same message. The largest
    /// messages are left out, since they only repeat the fields of the others at a hundred times their cost.
    @Test(arguments: fromWorkers.filter { $0.encoded().count < 1000 })
    func aWorkerMessageWithAChangedByteGivesAMessageOrAnError(message: WorkerMessage) {
        for bytes in changes(of: message.encoded()) {
            guard let read = try? decodeWorkerMessage(bytes) else { continue }
            guard (try? decodeWorkerMessage(read.encoded())) != read else { continue }
            Issue.record("\(bytes) is read as \(read), which is written as something else")
        }
    }

    /// Each message of a router has exactly one encoding.
    @Test(arguments: fromRouters) func aRouterMessageWithAChangedByteGivesAMessageOrAnError(message: RouterMessage) {
        for bytes in changes(of: message.encoded()) {
            guard let read = try? decodeRouterMessage(bytes), read.encoded() != bytes else { continue }
            Issue.record("\(bytes) is read as \(read), which is written as something else")
        }
    }

    /// Returns the bytes with each byte in turn replaced by its neighbours, its complement, single-bit flips and the
    /// extremes.
    private func changes(of bytes: [UInt8]) -> some Sequence<[UInt8]> {
        bytes.indices.lazy.flatMap { index in
            let byte = bytes[index]
            let flipped: [UInt8] = (0..<8).map { byte ^ (1 << $0) }
            let others = Set(flipped + [0, 0xFF, byte &+ 1, byte &- 1, ~byte]).subtracting([byte])
            return others.map { other in
                var changed = bytes
                changed[index] = other
                return changed
            }
        }
    }

    @Test func workerAndRouterMessagesAreNeverMistakenForEachOther() {
        for message in Self.fromWorkers {
            #expect(throws: MalformedMessage.self) { try decodeRouterMessage(message.encoded()) }
        }
        for message in Self.fromRouters {
            #expect(throws: MalformedMessage.self) { try decodeWorkerMessage(message.encoded()) }
        }
    }

    /// libzmq stores a message of up to this size inside its message struct.
    @Test func aScoreMessageFitsIntoLibzmqsMessageStruct() {
        #expect(RouterMessage.score(Self.job).encoded().count == 15)
        #expect(RouterMessage.examine(Self.job).encoded().count == 15)
    }

    @Test(arguments: [3, 4, 0xFF] as [UInt8]) func aRoleThatIsNoneIsMalformed(role: UInt8) {
        let hello = WorkerMessage.hello(
            .init(role: .evidence, model: "m", version: "1", digest: "d", worker: "w", credit: 1, bootID: 1))
        var bytes = hello.encoded()
        bytes[2] = role
        #expect(throws: MalformedMessage(reason: "role \(role)")) { try decodeWorkerMessage(bytes) }
    }

    @Test func theLargestMessagesAreWithinTheSizeLimit() {
        let text = String(repeating: "x", count: 2000)
        let hello = WorkerMessage.hello(
            WorkerMessage.Hello(
                role: .network(.sample), model: text, version: text, digest: text, worker: text, credit: 1, bootID: 1,
                metrics: Dictionary(uniqueKeysWithValues: (0..<40).map { ("\($0)" + text, 1) })))
        let failure = WorkerMessage.fail(.init(epoch: 1, job: 1, error: WireError(.unavailable, code: text, text)))
        // The bytes before the fields that repeat, those fields, and the bytes after them.
        let crops = (2 + 16 + 1) + 16 * (16 + 2) + (2 + 42 + 1) + 8 * (1 + 16 * 16) + 10
        let score = (2 + 16 + 1) + 16 * (4 + 2 + 256) + 10
        #expect(WorkerMessage.crops(Self.largestCrops).encoded().count == crops)
        #expect(WorkerMessage.score(Self.largestScore).encoded().count == score)
        #expect(max(crops, score, hello.encoded().count, failure.encoded().count) <= Limits.workerFrameBytes)
    }

    @Test func aWorkerMessageOverTheSizeLimitIsMalformed() {
        #expect(throws: MalformedMessage(reason: "8193 bytes, more than 8192")) {
            try decodeWorkerMessage([UInt8](repeating: 1, count: Limits.workerFrameBytes + 1))
        }
    }
}

// MARK: The sandbox

extension WorkerMessagesTests {
    private func hello(_ sandbox: WorkerMessage.Sandbox?) -> [UInt8] {
        WorkerMessage.hello(
            .init(
                role: .network(.sample), model: "m", version: "1", digest: "d", worker: "w", credit: 1, bootID: 1,
                metrics: ["recall": 0.5], sandbox: sandbox)
        ).encoded()
    }

    @Test func theSandboxIsTheLastFieldOfAHello() {
        #expect(hello(nil).last == 0)
        #expect(hello(.init(landlock: 0, seccomp: false)).suffix(3) == [1, 0, 0])
        #expect(hello(.init(landlock: 255, seccomp: true)).suffix(3) == [1, 255, 1])
    }

    @Test func aSandboxThatIsNeitherEnteredNorNotIsMalformed() {
        var bytes = hello(nil)
        bytes[bytes.count - 1] = 2
        #expect(throws: MalformedMessage(reason: "2 in place of 0 or 1")) { try decodeWorkerMessage(bytes) }
        #expect(throws: MalformedMessage.self) {
            try decodeWorkerMessage(Array(hello(.init(landlock: 7, seccomp: true)).dropLast()))
        }
    }

    @Test(
        arguments: [
            (0, 0, "none"), (0, 1, "no Landlock, seccomp"), (7, 0, "landlock 7, no seccomp"),
            (7, 1, "landlock 7, seccomp"), (3, 1, "landlock 3 (files only), seccomp"),
        ] as [(UInt8, Int, String)])
    func theSandboxIsSaidInWords(landlock: UInt8, seccomp: Int, text: String) {
        #expect(WorkerMessage.Sandbox(landlock: landlock, seccomp: seccomp == 1).text == text)
    }
}

// MARK: Other versions

extension WorkerMessagesTests {
    @Test(arguments: [0, 1, 2, 3, 4, 6, 0xFF] as [UInt8]) func aMessageOfAnotherVersionIsMalformedAndReportsTheVersion(
        version: UInt8
    ) {
        let refused = MalformedMessage(reason: "version \(version), not 5", otherVersion: version)
        for message in Self.fromWorkers {
            #expect(throws: refused) { try decodeWorkerMessage([version] + message.encoded().dropFirst()) }
        }
        for message in Self.fromRouters {
            #expect(throws: refused) { try decodeRouterMessage([version] + message.encoded().dropFirst()) }
        }
        #expect(throws: refused) { try decodeWorkerMessage([version]) }
    }

    /// Only bytes that have a version byte can be of another version.
    @Test(arguments: [[], [5], [5, 0]] as [[UInt8]]) func malformedBytesReportNoOtherVersion(bytes: [UInt8]) {
        let error = #expect(throws: MalformedMessage.self) { try decodeWorkerMessage(bytes) }
        #expect(error?.otherVersion == nil)
    }

    /// Version 3 reads a BYE as its reason and nothing else: `[3, 69, bytes of the reason (u16), reason]`.
    @Test func aRefusalOfVersion3IsAByeThatVersion3CanRead() throws {
        let bytes = RouterMessage.refusal(ofVersion: 3)
        #expect(bytes.prefix(2) == [3, 69])
        let count = Int(bytes[2]) | Int(bytes[3]) << 8
        #expect(bytes.count == 4 + count && count <= 1024)
        let reason = try #require(String(validating: bytes.dropFirst(4), as: UTF8.self))
        #expect(
            reason == "this router speaks version 5 of the worker protocol and the worker version 3; "
                + "run workers of the router's release, \(Release.version)")
    }

    @Test(arguments: [4, 6, 0xFF] as [UInt8]) func aRefusalIsFinalSinceVersion4(version: UInt8) throws {
        let bytes = RouterMessage.refusal(ofVersion: version)
        #expect(bytes.first == version)
        // Later versions can read it at least as far as this version wrote it.
        guard case .bye(let reason, isFinal: true) = try decodeRouterMessage([5] + bytes.dropFirst()) else {
            Issue.record("\(bytes) is no final BYE")
            return
        }
        #expect(reason.contains("the worker version \(version);"))
    }

    @Test(arguments: [0, 1, 2] as [UInt8]) func aRefusalOfAnOlderVersionHasThatVersion(version: UInt8) {
        #expect(RouterMessage.refusal(ofVersion: version).prefix(2) == [version, 69])
    }
}

// MARK: The bytes of docs/protocol.md

extension WorkerMessagesTests {
    private static let ofFaces = CropSpecification(kind: .face(margin: 1.6), width: 160, height: 160, preprocessing: 3)
    private static let epoch: UInt64 = 0x492b_780f_e6d5_e9eb

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    }

    /// Any change of these bytes needs a new version of the protocol.
    @Test func messagesHaveTheBytesShownInTheProtocolDocument() throws {
        let job = RouterMessage.Job(job: 32, attempt: 1, remainingMilliseconds: 5000)
        #expect(
            hexadecimal(RouterMessage.locate(job, [Self.ofFaces]).encoded())
                == "05 42 20 00 00 00 00 00 00 00 01 88 13 00 00 01 01 9a 99 99 99 99 99 f9 "
                + "3f a0 00 a0 00 03 00")
        let sha256: [UInt8] = [
            0x97, 0xe1, 0xc4, 0x8a, 0x09, 0xe1, 0xfd, 0x94, 0xc0, 0x8d, 0xdc, 0x99, 0x17, 0xa8, 0x80, 0x7e, 0xca, 0x02,
            0x3d, 0x6a, 0xb8, 0x29, 0xb1, 0x90, 0x94, 0xf3, 0x84, 0x1f, 0xdf, 0xb5, 0x04, 0x7b,
        ]
        let crops = WorkerMessage.Crops(
            epoch: Self.epoch, job: 32, faces: [.init(box: Box(x: 171, y: 188, width: 160, height: 212))],
            facesFound: 1, image: ImageInformation(format: .jpeg, width: 512, height: 600, sha256: sha256),
            sets: [.init(squares: [Box(x: 82, y: 124, width: 339, height: 339)])],
            timings: .init(queueMicroseconds: 250, computeMicroseconds: 3912, batch: 1))
        #expect(
            hexadecimal(WorkerMessage.crops(crops).encoded())
                == "05 08 eb e9 d5 e6 0f 78 2b 49 20 00 00 00 00 00 00 00 01 ab 00 00 00 bc "
                + "00 00 00 a0 00 00 00 d4 00 00 00 00 00 01 00 00 00 00 02 00 00 58 02 00 00 "
                + "97 e1 c4 8a 09 e1 fd 94 c0 8d dc 99 17 a8 80 7e ca 02 3d 6a b8 29 b1 90 "
                + "94 f3 84 1f df b5 04 7b 01 01 52 00 00 00 7c 00 00 00 53 01 00 00 53 01 "
                + "00 00 fa 00 00 00 48 0f 00 00 01 00")
        let score = WorkerMessage.Score(
            epoch: Self.epoch, job: 33, crops: [.init(logit: 2.25)],
            timings: .init(queueMicroseconds: 180, computeMicroseconds: 9800, batch: 2))
        #expect(
            hexadecimal(WorkerMessage.score(score).encoded())
                == "05 02 eb e9 d5 e6 0f 78 2b 49 21 00 00 00 00 00 00 00 01 00 00 10 40 00 "
                + "b4 00 00 00 48 26 00 00 02 00")
        let next = RouterMessage.Job(job: 33, attempt: 1, remainingMilliseconds: 4995)
        #expect(
            hexadecimal(RouterMessage.score(next).encoded())
                == "05 46 21 00 00 00 00 00 00 00 01 83 13 00 00")
        let examine = RouterMessage.Job(job: 35, attempt: 1, remainingMilliseconds: 5000)
        #expect(
            hexadecimal(RouterMessage.examine(examine).encoded())
                == "05 47 23 00 00 00 00 00 00 00 01 88 13 00 00")
        let report = KnownEvidence(
            quality: 97,
            matches: [try #require(.init(bank: "PRESS", bankKind: .allow, distance: 4, item: 17, sha256: false))])
        let evidence = WorkerMessage.evidence(
            .init(
                epoch: Self.epoch, job: 35, report: .known(report),
                timings: .init(queueMicroseconds: 120, computeMicroseconds: 1500, batch: 1))
        ).encoded()
        let json =
            #"{"kind":"known","quality":97,"matches":[{"bank":"PRESS","bank_kind":"allow","distance":4,"#
            + #""item":17,"sha256":false}]}"#
        #expect(
            hexadecimal(Array(evidence.prefix(20)))
                == "05 09 eb e9 d5 e6 0f 78 2b 49 23 00 00 00 00 00 00 00 \(hexadecimal([UInt8(json.utf8.count), 0]))")
        #expect(String(decoding: evidence.dropFirst(20).dropLast(10), as: UTF8.self) == json)
        #expect(hexadecimal(Array(evidence.suffix(10))) == "78 00 00 00 dc 05 00 00 01 00")
        let hello = WorkerMessage.Hello(
            role: .locator(preprocessing: 3), model: "locator", version: "2.0.0", digest: "sha256:72c5aa91",
            worker: "locator-02b1", credit: 4, bootID: 0x0112_2334_4556_6778,
            sandbox: .init(landlock: 7, seccomp: true))
        #expect(
            hexadecimal(WorkerMessage.hello(hello).encoded())
                == "05 01 00 03 00 07 00 6c 6f 63 61 74 6f 72 05 00 32 2e 30 2e 30 0f 00 73 "
                + "68 61 32 35 36 3a 37 32 63 35 61 61 39 31 0c 00 6c 6f 63 61 74 6f 72 2d "
                + "30 32 62 31 04 00 00 00 78 67 56 45 34 23 12 01 00 01 07 01")
    }
}
