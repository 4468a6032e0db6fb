import FormData
import Testing

@Suite struct FormParserTests {
    private typealias Event = FormParser.Event

    private static let form = Array(
        """
        --x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n\
        one\r\n--y\r\n-\r\n--x\r\ncontent-disposition:form-data; name=policy\r\n\r\nstrict\r\n--x--\r\nepilogue
        """.utf8)

    private func parser(_ contentType: String = "multipart/form-data; boundary=x") throws -> FormParser {
        try #require(try FormParser(contentType: contentType))
    }

    /// All events of a body that comes in pieces of a size, contents joined.
    private func events(_ body: [UInt8], piece: Int) throws -> [Event] {
        var parser = try parser()
        var events: [Event] = []
        for start in stride(from: 0, to: body.count, by: piece) {
            for event in try parser.feed(body[start..<min(start + piece, body.count)]) {
                if case .content(let more) = event, case .content(let bytes)? = events.last {
                    events[events.count - 1] = .content(bytes + more)
                } else {
                    events.append(event)
                }
            }
        }
        #expect(parser.isComplete == (events.last == .end))
        return events
    }

    @Test func formIsTakenApartHoweverItIsCut() throws {
        for piece in 1...Self.form.count {
            #expect(
                try events(Self.form, piece: piece) == [
                    .part(.init(name: "file", fileName: "a.jpg")), .content(Array("one\r\n--y\r\n-".utf8)),
                    .part(.init(name: "policy")), .content(Array("strict".utf8)), .end,
                ])
        }
    }

    @Test func formThatIsCutShortIsNotComplete() throws {
        for count in 0..<(Self.form.count - "\r\nepilogue".utf8.count) {
            var parser = try parser()
            _ = try parser.feed(Self.form[..<count])
            #expect(!parser.isComplete)
        }
    }

    @Test(arguments: [
        ("form-data; name=\"a b\"; filename=\"x\\\"y.jpg\"", "a b", "x\"y.jpg"),
        ("form-data; filename=\"C:\\Pictures\\x.jpg\"; name=f", "f", "C:\\Pictures\\x.jpg"),
        ("form-data; name=\"a;b=c\"; filename=\"\"", "a;b=c", ""), ("FORM-DATA ; NAME=f", "f", nil),
        ("form-data; name=\"\"", "", nil),
    ])
    func headingsAreRead(_ disposition: String, _ name: String, _ fileName: String?) throws {
        let body = Array("--x\r\nContent-Disposition: \(disposition)\r\n\r\n\r\n--x--".utf8)
        #expect(try events(body, piece: body.count) == [.part(.init(name: name, fileName: fileName)), .end])
    }

    @Test(arguments: [
        "--x\r\n\r\nno heading\r\n--x--", "--x\r\nContent-Type: text/plain\r\n\r\n\r\n--x--",
        "--x\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n--x--", "--x##",
        "--x\r\nContent-Disposition: form-data\r\n\r\n",
    ])
    func whatIsNoFormIsRefused(_ body: String) throws {
        var parser = try parser()
        #expect(throws: FormParser.FormError.self) { try parser.feed(Array(body.utf8)) }
    }

    @Test func headingsAndPartsAreBounded() throws {
        var endless = try parser()
        #expect(throws: FormParser.FormError.self) {
            _ = try endless.feed(Array("--x\r\nA: ".utf8))
            for _ in 0..<100 { _ = try endless.feed([UInt8](repeating: 65, count: 100)) }
        }
        var many = try parser()
        #expect(throws: FormParser.FormError.self) {
            for _ in 0..<1000 {
                _ = try many.feed(Array("\r\n--x\r\nContent-Disposition: form-data; name=a\r\n\r\n".utf8))
            }
        }
    }

    @Test func preambleIsPassedOver() throws {
        let body = Array("preamble".utf8) + Array("\r\n".utf8) + Self.form
        #expect(try events(body, piece: 7).count == 5)
    }

    @Test(arguments: ["image/jpeg", "multipart/mixed; boundary=x", "", ";"])
    func otherTypesAreNoForms(_ contentType: String) throws {
        #expect(try FormParser(contentType: contentType) == nil)
    }

    @Test(arguments: [
        "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; charset=utf-8",
        "multipart/form-data; boundary=\(String(repeating: "b", count: 71))",
    ])
    func formsWithoutABoundaryAreRefused(_ contentType: String) {
        #expect(throws: FormParser.FormError.self) { try FormParser(contentType: contentType) }
    }

    @Test func boundaryMayBeQuoted() throws {
        var parser = try parser("Multipart/Form-Data;Boundary=\"a b\"")
        #expect(try parser.feed(Array("--a b--".utf8)) == [.end])
    }
}
