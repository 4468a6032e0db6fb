import FoundationEssentials
import HTTPTypes
import Hummingbird
import Testing

@testable import Gateway

@Suite struct PagesTests {
    @Test func everyFileOfTheFolderIsServed() throws {
        let folder =
            #filePath.split(separator: "/").dropLast(4).reduce("") { $0 + "/" + $1 } + "/Sources/Gateway/Resources"
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        let pages = Pages()
        #expect(pages.names == files, "the table in Sources/System/CPages/CPages.c differs from \(folder)")
        for name in files {
            let content = try #require(FileManager.default.contents(atPath: "\(folder)/\(name)"))
            #expect(pages.response(name, ifNoneMatch: nil)?.headers[.contentLength] == "\(content.count)")
        }
    }

    @Test func filesHaveTheTypesThatBrowsersNeed() {
        let pages = Pages()
        for (name, type) in [
            ("docs.html", "text/html; charset=utf-8"), ("docs.js", "text/javascript; charset=utf-8"),
            ("docs.css", "text/css; charset=utf-8"), ("sample.jpg", "image/jpeg"), ("openapi.json", "application/json"),
        ] {
            #expect(pages.response(name, ifNoneMatch: nil)?.headers[.contentType] == type, "\(name)")
        }
    }

    @Test func pagesAreServedAtTheirPaths() async throws {
        let edge = try Edge()
        for (path, title) in [
            ("/", "Bifrons: real face, or generated?"), ("/status", "Bifrons: status"), ("/docs", "Bifrons: HTTP API"),
        ] {
            let response = try await edge.ask(.get, path)
            #expect(response.status == 200 && response.text.contains("<title>\(title)</title>"), "\(path)")
        }
    }

    @Test func unchangedFileIsNotSentAgain() throws {
        let pages = Pages()
        let tag = try #require(pages.response("openapi.json", ifNoneMatch: nil)?.headers[.eTag])
        #expect(pages.response("openapi.json", ifNoneMatch: tag)?.status == .notModified)
        #expect(pages.response("openapi.json", ifNoneMatch: "\"other\"")?.status == .ok)
        #expect(pages.response("none", ifNoneMatch: nil) == nil)
    }
}
