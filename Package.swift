// swift-tools-version: 6.2

import PackageDescription

// The modules of docs/architecture.md, in folders by process, and their layering: a target can import only its declared
// dependencies (`swift build --explicit-target-dependency-import-check error`, see the Makefile).

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// AVIF and HEIC can be left out: `swift build --disable-default-traits`.
let heif = ["CDav1d", "CDe265"].map { Target.Dependency.target(name: $0, condition: .when(traits: ["HEIF"])) }
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let inMemoryLogging = Target.Dependency.product(name: "InMemoryLogging", package: "swift-log")
let instrumentation = Target.Dependency.product(name: "Instrumentation", package: "swift-distributed-tracing")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")

func module(_ name: String, in folder: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(folder)/\(name)", swiftSettings: strict)
}

/// Declares a module of C code, or of our header for a system library.
func cModule(_ name: String, in folder: String = "System") -> Target {
    .target(name: name, path: "Sources/\(folder)/\(name)")
}

func systemLibrary(_ name: String) -> Target {
    .systemLibrary(name: name, path: "Sources/System/\(name)")
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies + [arguments], path: "Sources/Programs/\(name)", swiftSettings: strict)
}

func tests(
    _ name: String, in folder: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(folder)/\(name)", exclude: exclude, swiftSettings: strict
    )
}

let package = Package(
    name: "bifrons",
    products: [
        .executable(name: "bifrons-router", targets: ["bifrons-router"]),
        .executable(name: "bifrons-worker", targets: ["bifrons-worker"]),
        .executable(name: "bifrons-gateway", targets: ["bifrons-gateway"]),
        .executable(name: "bifrons", targets: ["bifrons"]),
        .library(name: "BifronsClient", targets: ["BifronsClient"]),
        .library(name: "BifronsWire", targets: ["BifronsWire"]),
    ],
    traits: [
        .trait(name: "HEIF", description: "Reads AVIF and HEIC, by dav1d and libde265."),
        .default(enabledTraits: ["HEIF"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        // Parts of Hummingbird that the gateway also uses directly.
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Shared by the processes.
        module("Hexadecimal", in: "Shared"),
        module("Files", in: "Shared"),
        module("BifronsWire", in: "Shared", ["Hexadecimal"]),
        module("BifronsZeroMQ", in: "Shared", ["CLinux", "CZeroMQ"]),
        module("Reactor", in: "Shared", ["BifronsWire", "BifronsZeroMQ", "CLinux"]),
        module("Keyring", in: "Shared", ["BifronsZeroMQ", "Files"]),
        module("ProcessSupport", in: "Shared", ["CLinux", arguments]),
        module("Settings", in: "Shared", ["ProcessSupport", arguments, configuration, logging]),
        module("Hashing", in: "Shared", ["CCrypto", "Hexadecimal"]),

        // The router.
        module("Decisions", in: "Router", ["BifronsWire", "Files", "Hashing", "Hexadecimal"]),
        module("RouterCore", in: "Router", ["BifronsWire", "Decisions", "Hexadecimal", deque, heap, histogram]),
        module("Journal", in: "Router", ["BifronsWire", "BifronsZeroMQ", "Decisions", "Reactor", grdb]),
        module(
            "RouterService", in: "Router",
            [
                "BifronsWire", "BifronsZeroMQ", "Decisions", "Files", "Hashing", "Hexadecimal", "Journal", "Keyring",
                "Reactor", "RouterCore", "Settings", logging,
            ]),

        // A worker.
        module("WorkerCore", in: "Worker", ["BifronsWire"]),
        module("Sandbox", in: "Worker", ["CSandbox"]),
        module("ImageDecoding", in: "Worker", ["CJPEG", "CLCMS", "CPNG", "CWebP", "Hexadecimal"] + heif),
        module("Provenance", in: "Worker", ["CCrypto", "CZlib", "Hexadecimal"]),
        module("Inference", in: "Worker", ["COpenVINO", "CResampling", "Files", "Hashing", "ImageDecoding"]),
        module("KnownImages", in: "Worker", ["BifronsWire", "Files", "Hashing", "Hexadecimal", "ImageDecoding"]),
        module(
            "WorkerService", in: "Worker",
            [
                "BifronsWire", "BifronsZeroMQ", "Files", "Hashing", "Hexadecimal", "ImageDecoding", "Inference",
                "Keyring", "KnownImages", "Provenance", "Reactor", "Sandbox", "Settings", "WorkerCore", logging,
            ]),

        // The HTTP gateway, and the client module that it shares with the command line.
        module("BifronsClient", in: "Client", ["BifronsWire", "BifronsZeroMQ", "Reactor"]),
        module("FormData", in: "Gateway", ["Hexadecimal"]),
        module(
            "Gateway", in: "Gateway",
            [
                "BifronsClient", "BifronsWire", "CPages", "Files", "FormData", "Hashing", "Hexadecimal", "Keyring",
                "Reactor", "Settings", httpTypes, hummingbird, instrumentation, lifecycle, logging, nio, nioHTTP1,
                nioHTTPTypes,
            ]),

        // The command line.
        module("ImageDrawing", in: "CLI", ["CJPEG", "CPNG", "ImageDecoding"]),
        module(
            "Commands", in: "CLI",
            [
                "BifronsClient", "BifronsWire", "BifronsZeroMQ", "ImageDecoding", "ImageDrawing", "Keyring",
                "ProcessSupport", "Reactor", "Settings", arguments, histogram,
            ]),

        // C.
        systemLibrary("CZeroMQ"), systemLibrary("CLinux"), systemLibrary("CCrypto"), systemLibrary("CWebP"),
        systemLibrary("CZlib"), systemLibrary("CDav1d"), systemLibrary("CDe265"),
        cModule("CJPEG"), cModule("CPNG"), cModule("CLCMS"), cModule("COpenVINO"), cModule("CResampling"),
        cModule("CPages"), cModule("CNoLocales"), cModule("CSandbox"),

        program(
            "bifrons-router", ["BifronsWire", "CNoLocales", "ProcessSupport", "RouterService", "Settings", logging]),
        program("bifrons-worker", ["BifronsWire", "ProcessSupport", "Settings", "WorkerService", logging]),
        program("bifrons-gateway", ["BifronsWire", "Gateway", "ProcessSupport", "Settings", logging]),
        program("bifrons", ["Commands", "ProcessSupport"]),

        // Used only by tests and benchmarks.
        .target(
            name: "CTestImages", path: "Sources/Testing/CTestImages",
            cSettings: [.define("HEIF", .when(traits: ["HEIF"]))],
            linkerSettings: [.linkedLibrary("heif", .when(traits: ["HEIF"]))]),
        module("TestImages", in: "Testing", ["CTestImages"]),
        module("TestKit", in: "Testing", ["BifronsWire"]),
        module("TestManifests", in: "Testing", ["CCrypto", "TestImages"]),
        .executableTarget(name: "kernel-without", path: "Sources/Testing/kernel-without"),
        .executableTarget(
            name: "hostile-worker",
            dependencies: [
                "BifronsWire", "ImageDecoding", "ProcessSupport", "Settings", "WorkerService", arguments, logging,
            ], path: "Sources/Testing/hostile-worker", swiftSettings: strict),

        tests("HexadecimalTests", in: "Shared", ["Hexadecimal"]),
        tests("FilesTests", in: "Shared", ["Files"]),
        tests("WireTests", in: "Shared", ["BifronsWire", "TestKit"]),
        tests("ZeroMQTests", in: "Shared", ["BifronsZeroMQ"]),
        tests("ReactorTests", in: "Shared", ["BifronsWire", "BifronsZeroMQ", "Reactor"]),
        tests("KeyringTests", in: "Shared", ["BifronsZeroMQ", "Keyring"]),
        tests("ProcessSupportTests", in: "Shared", ["ProcessSupport", arguments]),
        tests("SettingsTests", in: "Shared", ["ProcessSupport", "Settings", arguments, logging]),
        tests("HashingTests", in: "Shared", ["Hashing"]),
        tests("DecisionsTests", in: "Router", ["BifronsWire", "Decisions", "TestKit"]),
        tests("RouterCoreTests", in: "Router", ["BifronsWire", "Decisions", "RouterCore", "TestKit"]),
        tests("JournalTests", in: "Router", ["BifronsWire", "BifronsZeroMQ", "Decisions", "Journal", "Reactor", grdb]),
        tests(
            "RouterServiceTests", in: "Router",
            ["BifronsWire", "BifronsZeroMQ", "Decisions", "RouterCore", "RouterService", "Settings"]),
        tests("WorkerCoreTests", in: "Worker", ["BifronsWire", "TestKit", "WorkerCore"]),
        tests("SandboxTests", in: "Worker", ["CSandbox", "Sandbox"]),
        tests("ImageDecodingTests", in: "Worker", ["ImageDecoding", "TestImages"]),
        tests(
            "ProvenanceTests", in: "Worker", ["Provenance", "TestImages", "TestManifests"], exclude: ["Oracle"]),
        tests(
            "KnownImagesTests", in: "Worker",
            ["BifronsWire", "Files", "ImageDecoding", "KnownImages", "TestKit"], exclude: ["Oracle"]),
        tests(
            "InferenceTests", in: "Worker",
            ["Files", "Hashing", "ImageDecoding", "Inference", "TestImages", "TestKit"],
            exclude: ["Fixtures"]),
        tests(
            "WorkerServiceTests", in: "Worker",
            [
                "BifronsWire", "BifronsZeroMQ", "Hashing", "Hexadecimal", "ImageDecoding", "Inference", "KnownImages",
                "Provenance", "Reactor", "Settings", "TestImages", "TestManifests", "WorkerService", inMemoryLogging,
                logging,
            ]),
        tests("ClientTests", in: "Client", ["BifronsClient", "BifronsWire", "BifronsZeroMQ", "Reactor"]),
        tests("FormDataTests", in: "Gateway", ["FormData"]),
        tests(
            "GatewayTests", in: "Gateway",
            [
                "BifronsWire", "Gateway", "Hashing", "Settings", "TestKit", httpTypes, hummingbird,
                inMemoryLogging, logging, nio, nioEmbedded, nioHTTPTypes,
            ]),
        tests("ImageDrawingTests", in: "CLI", ["ImageDecoding", "ImageDrawing"]),
        tests(
            "CommandsTests", in: "CLI",
            [
                "BifronsClient", "BifronsWire", "BifronsZeroMQ", "Commands", "ImageDecoding", "ImageDrawing",
                "ProcessSupport", "Reactor", "Settings", "TestImages", arguments,
            ]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "BifronsWire", "BifronsZeroMQ", "Hashing", "ImageDecoding", "ImageDrawing", "Keyring", "KnownImages",
                "Reactor", "Sandbox", "Settings", "TestImages", "TestKit", "TestManifests", "WorkerService", logging,
                "hostile-worker", "kernel-without",
            ], swiftSettings: strict),
    ]
)

// The benchmarks and the fuzzer, which building the product does not need (see the Makefile and scripts/fuzz).
if Context.environment["BIFRONS_BENCHMARKS"] != nil {
    package.targets.append(
        .executableTarget(
            name: "bifrons-benchmarks",
            dependencies: [
                "BifronsWire", "BifronsZeroMQ", "Hashing", "ImageDecoding", "Inference", "KnownImages", "Provenance",
                "Decisions", "Reactor", "RouterCore", "TestImages", "TestKit", "WorkerCore", arguments, heap, histogram,
            ], path: "Benchmarks/bifrons-benchmarks", swiftSettings: strict))
}
if Context.environment["BIFRONS_FUZZING"] != nil {
    package.targets.append(
        .executableTarget(
            name: "bifrons-fuzz",
            dependencies: [
                "BifronsWire", "FormData", "ImageDecoding", "Inference", "KnownImages", "Provenance", "TestImages",
            ],
            path: "Fuzzing", swiftSettings: strict))
}
