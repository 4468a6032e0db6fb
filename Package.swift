// swift-tools-version: 6.2

import PackageDescription

// The rooms of docs/architecture.md and, in `dependencies`, the walls between them: what a target does not name it
// cannot import (`swift build --explicit-target-dependency-import-check error`, see the Makefile).

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
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

func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies + [arguments], swiftSettings: strict)
}

let package = Package(
    name: "bifrons",
    products: [
        .executable(name: "bifrons-router", targets: ["bifrons-router"]),
        .executable(name: "bifrons-worker", targets: ["bifrons-worker"]),
        .executable(name: "bifrons-gateway", targets: ["bifrons-gateway"]),
        .executable(name: "bifrons", targets: ["bifrons"]),
        .library(name: "BifronsClient", targets: ["Client", "Wire", "ZeroMQ"]),
        // For Benchmarks/ and Fuzzing/, packages of their own.
        .library(
            name: "BifronsRooms",
            targets: [
                "FormData", "Hashing", "ImageDecoding", "Inference", "Reactor", "RouterCore", "TestImages", "TestKit",
                "Wire",
                "WorkerCore", "ZeroMQ",
            ]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        // What Hummingbird is made of, and the gateway names itself.
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // The rooms, in the order in which a request visits them.
        room("Wire"),
        room("RouterCore", ["Wire", deque, heap, histogram]),
        room("WorkerCore", ["Wire"]),
        .systemLibrary(name: "CZeroMQ"),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CCrypto"),
        .target(name: "CJPEG"),
        .target(name: "CPNG"),
        .target(name: "CLCMS"),
        .target(name: "COpenVINO"),
        .target(name: "CResampling"),
        room("ZeroMQ", ["CLinux", "CZeroMQ"]),
        room("Keyring", ["ZeroMQ"]),
        room("Reactor", ["CLinux", "Wire", "ZeroMQ"]),
        room("Journal", ["Reactor", "Wire", "ZeroMQ", grdb]),
        room("ImageDecoding", ["CJPEG", "CLCMS", "CPNG"]),
        room("Hashing", ["CCrypto"]),
        room("Inference", ["COpenVINO", "CResampling", "Hashing", "ImageDecoding"]),
        room("Settings", ["CLinux", arguments, configuration, logging]),
        room(
            "RouterService",
            ["Hashing", "Journal", "Keyring", "Reactor", "RouterCore", "Settings", "Wire", "ZeroMQ", logging]),
        room(
            "WorkerService",
            [
                "Hashing", "ImageDecoding", "Inference", "Keyring", "Reactor", "Settings", "Wire", "WorkerCore",
                "ZeroMQ", logging,
            ]),
        room("Client", ["Reactor", "Wire", "ZeroMQ"]),
        room("ImageDrawing", ["CJPEG", "CPNG", "ImageDecoding"]),
        room(
            "Commands",
            [
                "Client", "ImageDecoding", "ImageDrawing", "Keyring", "Reactor", "Settings", "Wire", "ZeroMQ",
                arguments, histogram,
            ]),
        .target(name: "CPages"),
        room("FormData"),
        .target(
            name: "Gateway",
            dependencies: [
                "CPages", "Client", "FormData", "Hashing", "Keyring", "Reactor", "Settings", "Wire", httpTypes,
                hummingbird, lifecycle, logging, nio, nioHTTP1, nioHTTPTypes,
            ],
            // Embedded by CPages.
            exclude: ["Resources"], swiftSettings: strict),
        .target(name: "CNoLocales"),
        program("bifrons-router", ["CNoLocales", "RouterService", "Settings", "Wire", logging]),
        program("bifrons-worker", ["Settings", "Wire", "WorkerService", logging]),
        program("bifrons-gateway", ["Gateway", "Settings", "Wire", logging]),
        program("bifrons", ["Commands", "Settings"]),

        // What only tests and benchmarks use.
        .target(name: "CTestImages"),
        room("TestImages", ["CTestImages"]),
        room("TestKit", ["Wire"]),

        tests("WireTests", ["TestKit", "Wire"]),
        tests("RouterCoreTests", ["RouterCore", "TestKit", "Wire"]),
        tests("WorkerCoreTests", ["TestKit", "Wire", "WorkerCore"]),
        tests("ZeroMQTests", ["ZeroMQ"]),
        tests("KeyringTests", ["Keyring", "ZeroMQ"]),
        tests("ReactorTests", ["Reactor", "Wire", "ZeroMQ"]),
        tests("JournalTests", ["Journal", "Reactor", "Wire", "ZeroMQ", grdb]),
        tests("ImageDecodingTests", ["ImageDecoding", "TestImages"]),
        tests("ImageDrawingTests", ["ImageDecoding", "ImageDrawing"]),
        tests("HashingTests", ["Hashing"]),
        tests(
            "InferenceTests", ["Hashing", "ImageDecoding", "Inference", "TestImages", "TestKit"], exclude: ["Fixtures"]),
        tests("SettingsTests", ["Settings", arguments, logging]),
        tests("RouterServiceTests", ["RouterCore", "RouterService", "Wire", "ZeroMQ"]),
        tests(
            "WorkerServiceTests",
            [
                "Hashing", "ImageDecoding", "Inference", "Reactor", "Settings", "TestImages", "Wire", "WorkerService",
                "ZeroMQ", logging,
            ]),
        tests("FormDataTests", ["FormData"]),
        tests(
            "GatewayTests",
            [
                "Client", "Gateway", "Hashing", "Settings", "Wire", httpTypes, hummingbird, logging, nio, nioEmbedded,
                nioHTTPTypes,
            ]),
        tests("ClientTests", ["Client", "Reactor", "Wire", "ZeroMQ"]),
        tests(
            "CommandsTests",
            [
                "Client", "Commands", "ImageDecoding", "ImageDrawing", "Reactor", "Settings", "TestImages", "Wire",
                "ZeroMQ", arguments,
            ]),
        tests(
            "EndToEndTests",
            [
                "Hashing", "ImageDecoding", "ImageDrawing", "Keyring", "Reactor", "Settings", "TestImages", "TestKit",
                "Wire", "WorkerService", "ZeroMQ", logging,
            ]),
    ]
)
