import ArgumentParser
import BifronsWire
import ProcessSupport
import Testing

@testable import Commands

@Suite(.timeLimit(.minutes(5))) struct ClassifyCommandTests {
    private let folder: TemporaryFolder
    private let endpoint: String

    init() throws {
        folder = try TemporaryFolder()
        endpoint = "ipc://\(folder.path)/router"
    }

    /// Runs the command and returns its exit status.
    private func classify(_ arguments: [String]) async throws -> Int32 {
        do {
            let command = try ClassifyCommand.parse(arguments)
            try await command.run()
            return 0
        } catch {
            return Program.status(ClassifyCommand.self, error)
        }
    }

    private static let models = #"{"status":200,"models":[{"name":"a","workers":1,"served":[]}],"policies":[]}"#

    /// Returns a router that answers by the image's first byte: 0: a verdict, 1: a broken image, 2: full unless the
    /// request carries the id of a refusal, 3: no worker.
    private func router() throws -> AnsweringRouter {
        try AnsweringRouter(endpoint) { header, image in
            switch (header.verb, image.first) {
            case (.ping, _): return #"{"status":200}"#
            case (.models, _): return Self.models
            case (_, 1): return #"{"status":422,"error":{"code":"image_corrupt","message":"broken"}}"#
            case (_, 3): return #"{"status":503,"error":{"code":"no_worker","message":"nobody"}}"#
            case (_, 2) where header.id != "its turn":
                return
                    #"{"id":"its turn","status":429,"retry_after_ms":1,"error":{"code":"queue_full","message":"later"}}"#
            default:
                return
                    #"{"status":200,"verdict":{"label":"real","ai_probability":0.1,"action":"allow","policy":"default"}}"#
            }
        }
    }

    @Test func exitsWith0WhenAllAreClassifiedEvenAfterAFullQueue() async throws {
        let router = try router()
        for index in 0..<12 { try folder.write("images/\(index).jpg", [index == 6 ? 2 : 0]) }
        #expect(try await classify(["\(folder.path)/images", "--router", endpoint, "--window", "4"]) == 0)
        #expect(try await classify(["\(folder.path)/images", "--router", endpoint, "--window", "1024"]) == 0)
        #expect(try await classify(["\(folder.path)/images/0.jpg", "--router", endpoint, "--json"]) == 0)
        _ = router
    }

    @Test func exitsWith1WhenSomeImagesFail() async throws {
        let router = try router()
        try folder.write("good.jpg", [0])
        try folder.write("bad.png", [1])
        let (good, bad) = ("\(folder.path)/good.jpg", "\(folder.path)/bad.png")
        #expect(try await classify([good, bad, "--router", endpoint]) == 1)
        #expect(try await classify([good, "/nowhere.jpg", "--router", endpoint]) == 1)
        #expect(try await classify(["/nowhere.jpg", "--router", endpoint]) == 1)
        _ = router
    }

    @Test func exitsWith69WithoutAService() async throws {
        try folder.write("good.jpg", [3])
        let image = "\(folder.path)/good.jpg"
        #expect(try await classify([image, "--router", endpoint]) == 69)
        let router = try router()
        #expect(try await classify([image, "--router", endpoint]) == 69)
        _ = router
    }

    @Test func exitsWith2OnUsageErrors() async throws {
        for arguments in [
            [], ["a", "--window", "0"], ["-", "-"], ["a", "--router", "nowhere"], ["a", "--budget-ms", "0"],
        ] {
            #expect(try await classify(arguments) == 2)
        }
    }

    @Test func folderWithoutImagesIsAnError() async throws {
        #expect(try await classify([folder.path, "--router", endpoint]) == 1)
    }

    @Test func benchCountsVerdicts() async throws {
        let router = try router()
        try folder.write("good.jpg", [0])
        let measurement = ["--seconds", "0.2", "--warm-up", "0", "--concurrency", "2", "--router", endpoint]
        let command = try BenchCommand.parse(["--images", folder.path] + measurement)
        try await command.run()
        _ = router
    }
}
