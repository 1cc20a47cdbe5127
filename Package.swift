// swift-tools-version: 6.2
import PackageDescription

/// Settings that every Swift target of the package shares.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// One floor's library target. Dependencies may only name targets on the same floor or below.
func library(_ name: String, path: String? = nil, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: path ?? "Sources/\(name)", swiftSettings: settings)
}

/// The unit tests that stand beside one target.
func tests(_ target: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .testTarget(
        name: "\(target)Tests", dependencies: [.byName(name: target)] + dependencies, resources: resources,
        swiftSettings: settings)
}

let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "coffer",
    products: [
        .executable(name: "coffer", targets: ["coffer"]),
        // The store for programs of one's own, with the modules whose types its interface speaks of.
        .library(name: "ArtifactStore", targets: ["ArtifactStore", "Catalog", "Cryptography", "KeyHierarchy"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Floor 0: C libraries and the system calls that Glibc's overlay does not show.
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(
            name: "CCofferShims", cSettings: [.define("_GNU_SOURCE")], linkerSettings: [.linkedLibrary("sqlite3")]),

        // Floor 1: ground.
        library("Cryptography", ["COpenSSL", "CCofferShims"]),
        library("Compression", ["CZlib", "CCofferShims"]),
        library("Archives", ["Compression", systemPackage]),
        library(
            "Catalog",
            [
                "CCofferShims", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"), log,
            ]),

        // Floor 2: the store.
        library("KeyHierarchy", ["Catalog", "CCofferShims", "Cryptography", log, systemPackage]),
        library(
            "ArtifactStore",
            [
                "Archives", "Catalog", "CCofferShims", "Compression", "Cryptography", "KeyHierarchy", log,
                systemPackage,
            ]),
        library("ObjectStorage", ["ArtifactStore", "Catalog", "Compression", "Cryptography", "KeyHierarchy", log]),
        library("ArtifactDiff", ["Archives", "ArtifactStore", "Compression", "Cryptography", "KeyHierarchy"]),

        // Floor 3: the store's first customer.
        library("PipelineModel", []),
        library(
            "PipelineEngine",
            ["ArtifactStore", "Catalog", "KeyHierarchy", "ObjectStorage", "PipelineModel", log]),
        library(
            "ActionProviders",
            [
                "Archives", "ArtifactStore", "Catalog", "CCofferShims", "Cryptography", "KeyHierarchy", "ObjectStorage",
                "PipelineEngine", "PipelineModel", log, systemPackage, yams,
            ]),

        // Floor 4: who is asking, and in which words.
        library("AccessControl", ["Catalog", "Cryptography", "KeyHierarchy"]),
        library("AWSProtocol", ["AccessControl", "Catalog", "Compression", "Cryptography", httpTypes]),

        // Floor 5: fronts, one folder a service.
        library(
            "CodePipelineAPI", path: "Sources/ServiceAPIs/CodePipeline",
            ["AccessControl", "AWSProtocol", "KeyHierarchy", "PipelineEngine", "PipelineModel", httpTypes]),
        library(
            "S3API", path: "Sources/ServiceAPIs/S3",
            [
                "AccessControl", "AWSProtocol", "ArtifactStore", "Catalog", "Cryptography", "KeyHierarchy",
                "ObjectStorage",
                httpTypes, log,
            ]),
        library("STSAPI", path: "Sources/ServiceAPIs/STS", ["AccessControl", "AWSProtocol", httpTypes]),
        library(
            "KMSAPI", path: "Sources/ServiceAPIs/KMS",
            ["AccessControl", "AWSProtocol", "Cryptography", "KeyHierarchy", httpTypes]),
        library(
            "Console",
            [
                "AccessControl", "ActionProviders", "Archives", "ArtifactDiff", "ArtifactStore", "AWSProtocol",
                "Catalog", "Compression",
                "Cryptography", "KeyHierarchy", "ObjectStorage", "PipelineEngine", "PipelineModel", httpTypes, log,
                systemPackage,
            ]),

        // Floor 6: doors.
        library(
            "CofferServer",
            [
                "AccessControl", "ActionProviders", "ArtifactStore", "AWSProtocol", "Catalog", "CodePipelineAPI",
                "Console", "Cryptography", "KeyHierarchy", "KMSAPI", "ObjectStorage", "PipelineEngine", "S3API",
                "STSAPI",
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                httpTypes, log, systemPackage,
            ]),
        .executableTarget(
            name: "coffer",
            dependencies: [
                "AccessControl", "Archives", "ArtifactDiff", "ArtifactStore", "AWSProtocol", "Catalog", "CofferServer",
                "Compression", "Console", "Cryptography", "KeyHierarchy", "PipelineModel",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                httpTypes, log, systemPackage,
            ],
            swiftSettings: settings),

        // What scripts/bench measures from inside; no product of the package.
        .executableTarget(
            name: "coffer-bench",
            dependencies: [
                "ArtifactStore", "Catalog", "Cryptography", "KeyHierarchy",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                systemPackage,
            ],
            path: "Tests/Benchmarks/coffer-bench",
            swiftSettings: settings),

        // Tests, one target beside each library.
        tests("Cryptography", ["COpenSSL"], resources: [.copy("Vectors")]),
        tests("Compression"),
        tests("Archives", ["Compression", systemPackage]),
        tests("Catalog"),
        tests("KeyHierarchy", ["Catalog", "Cryptography"]),
        tests("ArtifactStore", ["Archives", "Catalog", "Compression", "Cryptography", "KeyHierarchy", systemPackage]),
        tests("ObjectStorage", ["ArtifactStore", "Catalog", "Cryptography", "KeyHierarchy", systemPackage]),
        tests(
            "ArtifactDiff",
            ["Archives", "ArtifactStore", "Catalog", "Compression", "Cryptography", "KeyHierarchy", systemPackage]),
        tests("PipelineModel"),
        tests(
            "PipelineEngine",
            ["ArtifactStore", "Catalog", "KeyHierarchy", "ObjectStorage", "PipelineModel", systemPackage]),
        tests(
            "ActionProviders",
            [
                "ArtifactStore", "Catalog", "KeyHierarchy", "ObjectStorage", "PipelineEngine", "PipelineModel",
                systemPackage,
            ]),
        tests("AccessControl", ["Catalog", "Cryptography", "KeyHierarchy"]),
        tests("AWSProtocol", ["AccessControl", "Cryptography", httpTypes]),
        tests(
            "CodePipelineAPI",
            [
                "AccessControl", "ArtifactStore", "AWSProtocol", "Catalog", "KeyHierarchy", "ObjectStorage",
                "PipelineEngine", "PipelineModel", httpTypes, systemPackage,
            ]),
        tests("STSAPI", ["AccessControl", "AWSProtocol", "Catalog", "Cryptography", httpTypes]),
        tests(
            "S3API",
            [
                "AccessControl", "ArtifactStore", "AWSProtocol", "Catalog", "Cryptography", "KeyHierarchy",
                "ObjectStorage", httpTypes, systemPackage,
            ]),
        tests("KMSAPI", ["AccessControl", "AWSProtocol", "Catalog", "Cryptography", "KeyHierarchy", httpTypes]),
        tests(
            "Console",
            ["ArtifactStore", "AWSProtocol", "Catalog", "Cryptography", "KeyHierarchy", httpTypes, systemPackage]),
        tests(
            "CofferServer",
            [
                "AWSProtocol", "Cryptography",
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                httpTypes, log, systemPackage,
            ]),
    ]
)
