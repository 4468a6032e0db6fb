import BifronsWire
import TestImages

/// The initial inputs of each target, in addition to what earlier runs found. The manifests come from the model
/// folders.
let seeds: [String: [[UInt8]]] = [
    "client-protocol": [
        frames(["BIFRONS1", #"{"verb":"ping"}"#]), frames(["", "BIFRONS1", header, "image"]),
        frames(["request", "", "BIFRONS1", #"{"verb":"status"}"#]), frames(["", "image"]), frames(["BIFRONS2", "{}"]),
    ],
    "header": [
        Array(header.utf8), Array(#"{"verb":"fetch","id":"a"}"#.utf8), Array(#"{"verb":"ping","x":[1,{}]}"#.utf8),
    ],
    "form": [
        Array(
            "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\n\r\nA\r\n-\r\n--b--\r\n".utf8),
        Array("multipart/form-data; boundary=\"b\"".utf8),
    ],
    "banks": [
        Array(
            #"{"schema":1,"banks":[{"name":"A","kind":"allow","distance":3,"enabled":false,"files":["a.txt","b"]}]}"#
                .utf8)
    ],
    "signals": [
        Array(
            "# a\r\npdq \(String(repeating: "1f", count: 32))\n\nsha256 \(String(repeating: "C", count: 64))\nmd5 1"
                .utf8)
    ],
    "worker-protocol": workerMessages.map { $0.encoded() } + routerMessages.map { $0.encoded() }
        + [RouterMessage.refusal(ofVersion: 3), RouterMessage.refusal(ofVersion: 6)],
    "jpeg": TestImages.JPEGScans.allCases.map { TestImages.jpeg(width: 24, height: 17, scans: $0) }
        + TestImages.JPEGColour.allCases.map { TestImages.jpeg(width: 16, height: 9, colour: $0) } + [
            TestImages.jpeg(width: 40, height: 20, orientation: 6, subsampled: true, restartRows: 1),
            TestImages.jpeg(width: 17, height: 8, arithmetic: true),
        ]
        + profiles.flatMap { profile in
            [TestImages.JPEGColour.gray, .ycbcr, .adobeCMYK].map { colour in
                let segments = TestImages.profileSegments(profile, partLength: 2000).flatMap { $0 }
                return TestImages.insert(segments, into: TestImages.jpeg(width: 8, height: 8, colour: colour))
            }
        },
    "png": TestImages.PNGColour.allCases.flatMap { colour in
        colour.depths.map { depth in
            let palette = colour == .palette ? [UInt8](repeating: 7, count: 3 << depth) : []
            return TestImages.png(
                width: 9, height: 7, colour: colour, depth: depth, isInterlaced: depth == 8, palette: palette
            ) { x, y, _ in (x + y) % (1 << depth) }
        }
    } + [TestImages.png(width: 12, height: 8, orientation: 5)]
        + (profiles.map { TestImages.profileChunk($0) } + numbers).map { chunk in
            TestImages.png(width: 5, height: 4, colour: .rgba, chunks: chunk) { x, y, channel in
                60 * x + 9 * y + channel
            }
        },
    "webp": TestImages.WebPKind.allCases.flatMap { kind in
        [TestImages.webp(width: 24, height: 17, kind), TestImages.webp(width: 9, height: 16, kind, orientation: 6)]
    }
        + TestImages.WebPKind.allCases.map { kind in
            let picture = TestImages.pictureChunks(of: TestImages.webp(width: 12, height: 9, kind))
            let frame = TestImages.webpFrame(x: 4, y: 2, width: 12, height: 9, picture)
            return TestImages.riff([
                TestImages.webpHeader(flags: 0x32, width: 20, height: 12), TestImages.webpChunk("ICCP", profiles[0]),
                TestImages.webpChunk("ANIM", [0, 0, 0, 0, 0, 0]), frame, frame,
            ])
        },
    "gif": [2, 5, 8].flatMap { bits in
        [
            TestImages.gif(width: 24, height: 17, bits: bits, transparent: 1),
            TestImages.gif(width: 9, height: 16, bits: bits, isInterlaced: true),
        ]
    } + [TestImages.gif(width: 90, height: 60, clearsWhenFull: false, others: 1)],
    "heif": [false, true].flatMap { isHEVC in
        [false, true].map { TestImages.heif(width: 24, height: 18, isHEVC: isHEVC, hasAlpha: $0) }
    },
    "profile": profiles,
    "provenance": [
        TestImages.insert(TestImages.segment(0xE1, Array("http://ns.adobe.com/xap/1.0/\0\(packet)".utf8)), into: small),
        TestImages.insert(TestImages.segment(0xEB, Array("JP\0\u{1}\0\0\0\u{1}".utf8) + store), into: small),
        TestImages.png(width: 1, height: 1, orientation: 1), TestImages.pngSignature + TestImages.chunk("caBX", store),
        TestImages.pngSignature + TestImages.chunk("zTXt", Array("parameters\0\0".utf8) + TestImages.zlib([65])),
        Array("RIFF\u{20}\0\0\0WEBPXMP \u{10}\0\0\0<rdf:Description>".utf8),
        Array("\0\0\0\u{10}ftypavif\0\0\0\0\0\0\0\u{8}uuid\0\0\0\u{10}meta\0\0\0\0\0\0\0\u{8}iinf".utf8),
    ],
    "manifest-store": [store, Array(packet.utf8), TestImages.tiff(orientation: 3)],
]

private let small = TestImages.jpeg(width: 8, height: 8)

private let packet = """
    <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType="digitalCapture">
    <Iptc4xmpExt:AISystemUsed><rdf:Bag><rdf:li>a &amp; b</rdf:li></rdf:Bag></Iptc4xmpExt:AISystemUsed>
    </rdf:Description></rdf:RDF>
    """

/// A manifest store without a valid signature.
private let store = superbox(
    "c2pa", "c2pa",
    superbox(
        "c2ma", "m",
        superbox(
            "c2as", "c2pa.assertions",
            superbox("cbor", "c2pa.actions", box("cbor", [0xA1, 0x67] + "actions".utf8 + [0x80])))
            + superbox("c2cl", "c2pa.claim", box("cbor", [0xA1, 0x63] + "alg".utf8 + [0x66] + "sha256".utf8))
            + superbox("c2cs", "c2pa.signature", box("cbor", [0xD2, 0x84, 0x43, 0xA1, 1, 0x26, 0xA0, 0xF6, 0x41, 0]))))

private func superbox(_ kind: String, _ label: String, _ contents: [UInt8]) -> [UInt8] {
    let identifier = Array(kind.utf8) + [0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71]
    return box("jumb", box("jumd", identifier + [3] + Array(label.utf8) + [0]) + contents)
}

private func box(_ type: String, _ payload: [UInt8]) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8((payload.count + 8) >> $0 & 255) } + Array(type.utf8) + payload
}

/// Profiles for every kind of image, by matrix and by table.
private let profiles = [
    TestImages.Profile.rgb(.gamma(1.8), TestImages.Profile.displayP3), TestImages.Profile.rgb(.inverted),
    TestImages.Profile.gray(.gamma(1)),
    TestImages.Profile.table("RGB ", channels: 3, grid: 3, tags: ["A2B1", "D2B0"]) { [100 * $0[0], 0, $0[1]] },
    TestImages.Profile.table("CMYK", channels: 4, grid: 2) { [100 - 25 * $0.reduce(0, +), $0[0], $0[1]] },
]

/// The PNG chunks that define colours by numbers.
private let numbers: [[UInt8]] = [
    TestImages.chunk("cICP", [12, 13, 0, 1]), TestImages.chunk("sRGB", [0]),
    TestImages.chunk("gAMA", [0, 1, 0x86, 0xA0]), TestImages.chunk("cHRM", primaries),
]

/// White, red, green and blue as x and y, times 100000.
private let primaries: [UInt8] = [31_270, 32_900, 15_000, 6000, 30_000, 60_000, 64_000, 33_000]
    .flatMap { (value: Int) -> [UInt8] in [0, UInt8(value >> 16), UInt8(value >> 8 & 255), UInt8(value & 255)] }

private let header = #"""
    {"verb":"classify","id":"a1","budget_ms":250,"priority":9,"models":["resnet"],"require":"all","policy":"strict",
    "durable":true,"wait":false,"idempotency_key":"k","explain":true,"metadata":{"ticket":[1,null,"\u00e9\ud83d\ude00"]}}
    """#

private let workerMessages: [WorkerMessage] = [
    .hello(
        .init(
            role: .network(ofFaces), model: "m", version: "1", digest: "d", worker: "w", credit: 8, bootID: 1,
            metrics: ["roc_auc": 0.9])),
    .hello(
        .init(
            role: .network(ofTheMiddle), model: "m", version: "1", digest: "d", worker: "w", credit: 1, bootID: 2)),
    .hello(
        .init(
            role: .locator(preprocessing: 3), model: "l", version: "2", digest: "d", worker: "w", credit: 8, bootID: 3)),
    .hello(.init(role: .evidence, model: "known", version: "1", digest: "d", worker: "w", credit: 8, bootID: 4)),
    .crops(
        .init(
            epoch: 1, job: 2, faces: [.init(box: box), .init(box: box, turned: -47.3)], facesFound: 3, image: image,
            sets: [.init(squares: [box, box]), .init(squares: [box])], timings: timings)),
    .crops(
        .init(
            epoch: 1, job: 2, faces: [], facesFound: nil, image: image, sets: [.init(squares: [box])],
            timings: timings)),
    .score(
        .init(
            epoch: 1, job: 2,
            crops: [
                .init(logit: 0.5, map: EvidenceMap(width: 2, height: 2, cells: [0, 1, 2, 255])), .init(logit: -3),
            ], timings: timings)),
    .evidence(
        .init(
            epoch: 1, job: 2,
            report: .provenance(
                .init(
                    claim: .aiGenerated, trust: .untrusted, source: .c2pa, generator: "g \"1\"", signer: "s é",
                    validation: ["claimSignature.validated", "signingCredential.untrusted"],
                    digest: Array(repeating: 1, count: 32))), timings: timings)),
    .evidence(
        .init(
            epoch: 1, job: 2,
            report: .known(
                .init(
                    quality: 97,
                    matches: [KnownEvidence.Match(bank: "A_1", bankKind: .allow, distance: 4, item: 17, sha256: false)]
                        .compactMap(\.self))), timings: timings)),
    .fail(.init(epoch: 1, job: 2, error: WireError(.unprocessable, code: "image_truncated", "it ends early"))),
    .ping(epoch: 1, inFlight: 2, progress: 3), .credit(epoch: 1, jobs: 4), .drain(epoch: 1), .bye(epoch: 1),
]

private let routerMessages: [RouterMessage] = [
    .welcome(epoch: 1, heartbeatMilliseconds: 500), .locate(job, [ofFaces, ofTheMiddle]), .score(job), .examine(job),
    .pong(epoch: 1), .resync, .bye(reason: "it drains", isFinal: false), .bye(reason: "it is too old", isFinal: true),
]

private let ofFaces = CropSpecification(kind: .face(margin: 1.6), width: 160, height: 160, preprocessing: 3)
private let ofTheMiddle = CropSpecification(kind: .centralSquare, width: 2, height: 1, preprocessing: 3)
private let job = RouterMessage.Job(job: 1, attempt: 1, remainingMilliseconds: 5000)
private let box = Box(x: 1, y: 2, width: 3, height: 4)
private let image = ImageInformation(format: .png, width: 8, height: 9, sha256: Array(repeating: 1, count: 32))
private let timings = WorkerMessage.Timings(queueMicroseconds: 1, computeMicroseconds: 2, batch: 3)

/// Encodes frames in the format that the target decodes.
private func frames(_ texts: [String]) -> [UInt8] {
    texts.flatMap { [UInt8(min($0.utf8.count, 255))] + Array($0.utf8.prefix(255)) }
}
