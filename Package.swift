// swift-tools-version: 6.2

import PackageDescription

// The modules of docs/architecture.md, in folders by the process that they belong to, and the layering between them: what a
// target does not name as a dependency it cannot import (`swift build --explicit-target-dependency-import-check error`, see
// the Makefile).

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

func module(_ name: String, in folder: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(folder)/\(name)", swiftSettings: strict)
}

/// C code, or a system library's headers behind our own.
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
        // Shared by the processes.
        module("Wire", in: "Shared"),
        module("ZeroMQ", in: "Shared", ["CLinux", "CZeroMQ"]),
        module("Reactor", in: "Shared", ["CLinux", "Wire", "ZeroMQ"]),
        module("Keyring", in: "Shared", ["ZeroMQ"]),
        module("Settings", in: "Shared", ["CLinux", arguments, configuration, logging]),
        module("Hashing", in: "Shared", ["CCrypto"]),

        // The router.
        module("RouterCore", in: "Router", ["Wire", deque, heap, histogram]),
        module("Journal", in: "Router", ["Reactor", "Wire", "ZeroMQ", grdb]),
        module(
            "RouterService", in: "Router",
            ["Hashing", "Journal", "Keyring", "Reactor", "RouterCore", "Settings", "Wire", "ZeroMQ", logging]),

        // A worker.
        module("WorkerCore", in: "Worker", ["Wire"]),
        module("ImageDecoding", in: "Worker", ["CJPEG", "CLCMS", "CPNG"]),
        module("Inference", in: "Worker", ["COpenVINO", "CResampling", "Hashing", "ImageDecoding"]),
        module(
            "WorkerService", in: "Worker",
            [
                "Hashing", "ImageDecoding", "Inference", "Keyring", "Reactor", "Settings", "Wire", "WorkerCore",
                "ZeroMQ", logging,
            ]),

        // The HTTP gateway, and the client that it and the command line are.
        module("Client", in: "Client", ["Reactor", "Wire", "ZeroMQ"]),
        module("FormData", in: "Gateway"),
        module(
            "Gateway", in: "Gateway",
            [
                "CPages", "Client", "FormData", "Hashing", "Keyring", "Reactor", "Settings", "Wire", httpTypes,
                hummingbird, lifecycle, logging, nio, nioHTTP1, nioHTTPTypes,
            ]),

        // The command line.
        module("ImageDrawing", in: "CLI", ["CJPEG", "CPNG", "ImageDecoding"]),
        module(
            "Commands", in: "CLI",
            [
                "Client", "ImageDecoding", "ImageDrawing", "Keyring", "Reactor", "Settings", "Wire", "ZeroMQ",
                arguments, histogram,
            ]),

        // C.
        systemLibrary("CZeroMQ"), systemLibrary("CLinux"), systemLibrary("CCrypto"),
        cModule("CJPEG"), cModule("CPNG"), cModule("CLCMS"), cModule("COpenVINO"), cModule("CResampling"),
        cModule("CPages"), cModule("CNoLocales"),

        program("bifrons-router", ["CNoLocales", "RouterService", "Settings", "Wire", logging]),
        program("bifrons-worker", ["Settings", "Wire", "WorkerService", logging]),
        program("bifrons-gateway", ["Gateway", "Settings", "Wire", logging]),
        program("bifrons", ["Commands", "Settings"]),

        // What only tests and benchmarks use.
        cModule("CTestImages", in: "Testing"),
        module("TestImages", in: "Testing", ["CTestImages"]),
        module("TestKit", in: "Testing", ["Wire"]),

        tests("WireTests", in: "Shared", ["TestKit", "Wire"]),
        tests("ZeroMQTests", in: "Shared", ["ZeroMQ"]),
        tests("ReactorTests", in: "Shared", ["Reactor", "Wire", "ZeroMQ"]),
        tests("KeyringTests", in: "Shared", ["Keyring", "ZeroMQ"]),
        tests("SettingsTests", in: "Shared", ["Settings", arguments, logging]),
        tests("HashingTests", in: "Shared", ["Hashing"]),
        tests("RouterCoreTests", in: "Router", ["RouterCore", "TestKit", "Wire"]),
        tests("JournalTests", in: "Router", ["Journal", "Reactor", "Wire", "ZeroMQ", grdb]),
        tests("RouterServiceTests", in: "Router", ["RouterCore", "RouterService", "Wire", "ZeroMQ"]),
        tests("WorkerCoreTests", in: "Worker", ["TestKit", "Wire", "WorkerCore"]),
        tests("ImageDecodingTests", in: "Worker", ["ImageDecoding", "TestImages"]),
        tests(
            "InferenceTests", in: "Worker", ["Hashing", "ImageDecoding", "Inference", "TestImages", "TestKit"],
            exclude: ["Fixtures"]),
        tests(
            "WorkerServiceTests", in: "Worker",
            [
                "Hashing", "ImageDecoding", "Inference", "Reactor", "Settings", "TestImages", "Wire", "WorkerService",
                "ZeroMQ", logging,
            ]),
        tests("ClientTests", in: "Client", ["Client", "Reactor", "Wire", "ZeroMQ"]),
        tests("FormDataTests", in: "Gateway", ["FormData"]),
        tests(
            "GatewayTests", in: "Gateway",
            [
                "Client", "Gateway", "Hashing", "Settings", "Wire", httpTypes, hummingbird, logging, nio, nioEmbedded,
                nioHTTPTypes,
            ]),
        tests("ImageDrawingTests", in: "CLI", ["ImageDecoding", "ImageDrawing"]),
        tests(
            "CommandsTests", in: "CLI",
            [
                "Client", "Commands", "ImageDecoding", "ImageDrawing", "Reactor", "Settings", "TestImages", "Wire",
                "ZeroMQ", arguments,
            ]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "Hashing", "ImageDecoding", "ImageDrawing", "Keyring", "Reactor", "Settings", "TestImages", "TestKit",
                "Wire", "WorkerService", "ZeroMQ", logging,
            ], swiftSettings: strict),
    ]
)
