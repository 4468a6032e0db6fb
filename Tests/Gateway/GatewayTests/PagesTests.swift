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

    @Test func unchangedFileIsNotSentAgain() throws {
        let pages = Pages()
        let tag = try #require(pages.response("openapi.json", ifNoneMatch: nil)?.headers[.eTag])
        #expect(pages.response("openapi.json", ifNoneMatch: tag)?.status == .notModified)
        #expect(pages.response("openapi.json", ifNoneMatch: "\"other\"")?.status == .ok)
        #expect(pages.response("none", ifNoneMatch: nil) == nil)
    }
}
