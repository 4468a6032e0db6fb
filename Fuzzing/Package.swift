// swift-tools-version: 6.2

import PackageDescription

// A package of its own: everything in it and below is built with coverage instrumentation (see the Makefile's fuzz).

let package = Package(
    name: "bifrons-fuzzing",
    dependencies: [
        .package(name: "bifrons", path: "..")
    ],
    targets: [
        .executableTarget(
            name: "bifrons-fuzz",
            dependencies: [
                .product(name: "BifronsRooms", package: "bifrons")
            ],
            swiftSettings: [
                .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("InternalImportsByDefault"), .enableUpcomingFeature("MemberImportVisibility"),
            ])
    ]
)
