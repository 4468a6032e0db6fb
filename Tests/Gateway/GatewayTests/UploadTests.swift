import BifronsWire
import HTTPTypes
import Hummingbird
import TestKit
import Testing

@testable import Gateway

/// Uploads in every form that clients use.
@Suite struct UploadTests {
    private static let path = "/v1/classify?budget_ms=60000"
    private static let form: HTTPFields = [.contentType: "multipart/form-data; boundary=b"]

    private func expectProblem(_ answer: Edge.Answer, _ status: Int, _ code: String, _ request: String) {
        #expect(answer.status == status, "\(request)")
        #expect(answer.headers[.contentType] == "application/problem+json")
        #expect(answer.headers[.xContentTypeOptions] == "nosniff")
        #expect(answer.headers[.traceparent] != nil)
        #expect(answer.text.contains("\"code\":\"\(code)\""), "\(answer.text)")
        #expect(answer.text.contains("\"status\":\(status)"))
    }

    @Test func aBodyOfAnyImageOrBinaryTypeIsAnImage() async throws {
        let image: [UInt8] = [0xFF, 0xD8, 0xFF]
        for type in [
            nil, "", "image/jpeg", "image/png", "IMAGE/WebP; x=y", "image/*", "application/octet-stream",
            "application/octet-stream; charset=binary", "binary/octet-stream", "Binary/Octet-Stream ; a=b",
        ] {
            let edge = try Edge()
            let fields: HTTPFields = type.map { [.contentType: $0] } ?? [:]
            let answer = try await edge.ask(.post, Self.path, fields, body: image)
            #expect(answer.status == 200, "\(type ?? "none"): \(answer.text)")
            #expect(edge.router.requests.map(\.image) == [image])
        }
        for type in [
            "text/plain", "application/json", "application/x-www-form-urlencoded", "octet-stream", "image",
            "application/octet-streams", "video/mp4", "multipart/mixed; boundary=b",
        ] {
            let answer = try await Edge().ask(.post, "/v1/classify", [.contentType: type], body: image)
            #expect(answer.status == 415, "\(type)")
            #expect(answer.text.contains("content_type_unknown"))
        }
    }

    /// Each part is one file and no field, and the router gets its bytes.
    @Test func aFormPartIsAFileUnderAnyFileName() async throws {
        let latin1 = Array("Content-Disposition: form-data; name=\"file\"; filename=\"caf".utf8) + [0xE9, 0x22]
        for heading in [
            latin1, Array("Content-Disposition: form-data; name=\"file\"; filename*=utf-8''%D1%82.jpg".utf8),
            Array("Content-Disposition: form-data; name=f; filename*=iso-8859-1''caf%E9.jpg".utf8),
            Array("Content-Disposition: form-data; name=f; filename*=nonsense".utf8),
            Array("Content-Disposition: form-data; name=f; filename=\"\\\"a\\\\\"; filename*=UTF-8''b".utf8),
            Array("Content-Disposition: form-data; name=f\r\nContent-Type: image/jpeg".utf8),
            Array("Content-Disposition: form-data; name=f".utf8),
        ] {
            let image: [UInt8] = [0xFF, 0xD8, 0xFF, 0x0D, 0x0A]
            let body =
                Array("--b\r\n".utf8) + heading + Array("\r\n\r\n".utf8) + image
                + Array("\r\n--b\r\nContent-Disposition: form-data; name=explain\r\n\r\nTrue\r\n--b--".utf8)
            let edge = try Edge()
            let answer = try await edge.ask(.post, Self.path, Self.form, body: body)
            #expect(answer.status == 200, "\(String(decoding: heading, as: UTF8.self)): \(answer.text)")
            #expect(edge.router.requests.map(\.image) == [image])
            #expect(edge.router.requests.map(\.header.explain) == [true])
        }
    }

    /// Some clients send neither a file name nor a type. Then the first bytes tell, also if they arrive one by one.
    @Test(arguments: [nil, 1, 5]) func aFormPartThatBeginsAsAnImageIsAFile(piece: Int?) async throws {
        let binary: [UInt8] = [0, 0xFF, 0x0D, 0x0A, 0x2C]
        let images: [[UInt8]] = [
            [0xFF, 0xD8, 0xFF], [0x89, 0x50, 0x4E, 0x47], Array("GIF87aa\u{1}aa".utf8), Array("GIF89aaaa\u{1F}".utf8),
            Array("RIFFaaa\0WEBP".utf8),
        ]
        for image in images.map({ $0 + binary }) {
            let edge = try Edge()
            let answer = try await edge.ask(.post, Self.path, Self.form, body: Self.part("f", image), piece: piece)
            #expect(answer.status == 200, "\(image): \(answer.text)")
            #expect(edge.router.requests.map(\.image) == [image])
        }
        for text in ["G", "GIF87a", "GIF89a is a format", "RIFF", "RIFF of WEBP", "a GIF89a"] {
            let edge = try Edge()
            let body = Self.part("id", Array(text.utf8)).dropLast("--b--".utf8.count) + Self.part("f", images[0])
            let answer = try await edge.ask(.post, Self.path, Self.form, body: Array(body), piece: piece)
            #expect(answer.status == 200, "\(text): \(answer.text)")
            #expect(edge.router.requests.map(\.header.id) == [text])
            #expect(edge.router.requests.map(\.image) == [images[0]])
        }
    }

    /// Returns a form with one part.
    private static func part(_ name: String, _ content: [UInt8]) -> [UInt8] {
        Array("--b\r\nContent-Disposition: form-data; name=\(name)\r\n\r\n".utf8) + content + Array("\r\n--b--".utf8)
    }

    @Test func booleansAreReadInQueryAndForm() async throws {
        func send(_ text: String, inQuery: Bool, to edge: Edge) async throws -> Edge.Answer {
            let (_, body) = Edge.form([("file", "a.jpg", [1, 2, 3])], inQuery ? [:] : ["explain": text])
            return try await edge.ask(
                .post, Self.path + (inQuery ? "&explain=\(text)" : ""), Self.form, body: body)
        }
        for inQuery in [true, false] {
            for (text, isTrue) in [("true", true), ("True", true), ("FALSE", false), ("1", true), ("0", false)] {
                let edge = try Edge()
                #expect(try await send(text, inQuery: inQuery, to: edge).status == 200, "\(text)")
                #expect(edge.router.requests.map(\.header.explain) == [isTrue])
            }
            for text in ["", "yes", "2", "None"] {
                let answer = try await send(text, inQuery: inQuery, to: Edge())
                expectProblem(answer, 400, "malformed_header", text)
                #expect(answer.text.contains("the field 'explain' must be true, false, 1 or 0, not '\(text)'"))
            }
        }
        for query in ["?explain", "?explain=1&explain=x", "?explain=x&explain=1"] {
            #expect(try await Edge().ask(.post, "/v1/classify" + query, body: [1]).status == 400, "\(query)")
        }
        let edge = try Edge()
        #expect(try await edge.ask(.post, "/v1/classify?explain=0&explain=True", body: [1]).status == 200)
        #expect(edge.router.requests.map(\.header.explain) == [true], "the last of two")
    }
}
