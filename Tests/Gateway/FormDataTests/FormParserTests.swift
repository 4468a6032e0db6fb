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

    /// Returns all events of a body that is fed in pieces of a size, with adjacent contents joined.
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

    @Test func aFormIsParsedInPiecesOfAnySize() throws {
        for piece in 1...Self.form.count {
            #expect(
                try events(Self.form, piece: piece) == [
                    .part(.init(name: "file", fileName: "a.jpg")), .content(Array("one\r\n--y\r\n-".utf8)),
                    .part(.init(name: "policy")), .content(Array("strict".utf8)), .end,
                ])
        }
    }

    @Test func aTruncatedFormIsNotComplete() throws {
        for count in 0..<(Self.form.count - "\r\nepilogue".utf8.count) {
            var parser = try parser()
            _ = try parser.feed(Self.form[..<count])
            #expect(!parser.isComplete)
        }
    }

    @Test(arguments: [
        ("form-data; name=\"a b\"; filename=\"x\\\"y.jpg\"", "a b", "x\"y.jpg"),
        ("form-data; filename=\"C:\\Images\\x.jpg\"; name=f", "f", "C:\\Images\\x.jpg"),
        ("form-data; name=\"a;b=c\"; filename=\"\"", "a;b=c", ""), ("FORM-DATA ; NAME=f", "f", nil),
        ("form-data; name=\"\"", "", nil),
    ])
    func namesAreReadFromContentDisposition(_ disposition: String, _ name: String, _ fileName: String?) throws {
        #expect(try heading(Array("Content-Disposition: \(disposition)".utf8)) == .init(name: name, fileName: fileName))
    }

    /// Returns what the parser reads from the header of a form's only part.
    private func heading(_ bytes: [UInt8]) throws -> FormParser.Heading? {
        let body = Array("--x\r\n".utf8) + bytes + Array("\r\n\r\n\r\n--x--".utf8)
        let events = try events(body, piece: body.count)
        guard case .part(let heading)? = events.first, events.count == 2 else { return nil }
        return heading
    }

    /// RFC 8187, which RFC 6266 uses for downloads and many clients use for forms.
    @Test(arguments: [
        ("filename*=utf-8''%D1%82.jpg", "т.jpg"), ("filename*=UTF-8'en'a%20b.jpg", "a b.jpg"),
        ("filename*=iso-8859-1''caf%E9.jpg", "café.jpg"), ("filename*=\"UTF-8''%C3%A9\"", "é"),
        ("filename=plain.jpg; filename*=utf-8''star.jpg", "star.jpg"),
        ("filename*=utf-8''star.jpg; filename=plain.jpg", "star.jpg"), ("FILENAME*=utf-8''a", "a"),
        ("filename*=utf-8''", ""),
        // The plain parameter replaces an extended one that cannot be decoded; without a plain one, its raw text is the
        // name.
        ("filename*=utf-8''%ZZ; filename=plain.jpg", "plain.jpg"), ("filename*=utf-8''%C3; filename=p", "p"),
        ("filename*=koi8-r''%D4; filename=p", "p"), ("filename*=utf-8''%Z", "utf-8''%Z"), ("filename*=a.jpg", "a.jpg"),
        ("filename*=utf-8''%4", "utf-8''%4"), ("filename*=", ""), ("filename*0=\"a\"; filename*1=\"b\"", "a"),
    ])
    func extendedFileNamesAreRead(_ parameters: String, _ fileName: String) throws {
        for disposition in ["form-data; name=f; \(parameters)", "form-data; \(parameters); name=f"] {
            let heading = try heading(Array("Content-Disposition: \(disposition)".utf8))
            #expect(heading == .init(name: "f", fileName: fileName))
            #expect(heading?.isFile == true)
        }
    }

    /// A file is read whatever the bytes of its name are.
    @Test(
        arguments: [
            ([0x63, 0x61, 0x66, 0xE9], "café"), ([0xC3, 0xA9], "é"), ([0xCC, 0x81, 0x61], "\u{301}a"),
            ([0xFF, 0xFE], "ÿþ"),
            ([0x00, 0x80], "\0\u{80}"), ([0x5C, 0x22, 0x5C, 0x5C, 0x5C, 0x61], "\"\\\\a"), ([0x3B, 0x3D], ";="),
            ([0x0D, 0x0A, 0x20, 0x61], "\r\n a"),
        ] as [([UInt8], String)])
    func fileNamesInAnyEncodingAreRead(_ bytes: [UInt8], _ fileName: String) throws {
        let start = Array("Content-Disposition: form-data; name=\"f\"; filename=\"".utf8)
        #expect(try heading(start + bytes + [UInt8(ascii: "\"")]) == .init(name: "f", fileName: fileName))
    }

    @Test(arguments: 0...UInt8.max)
    func noByteInAFileNameInvalidatesTheForm(_ byte: UInt8) throws {
        for quote in ["\"", ""] {
            let start = Array("Content-Disposition: form-data; name=f; filename=\(quote)a".utf8)
            let heading = try heading(start + [byte, UInt8(ascii: "b")] + Array(quote.utf8))
            #expect(heading?.isFile == true)
        }
    }

    @Test(arguments: [
        ("Content-Disposition: form-data;\r\n name=f;\r\n\tfilename=a", true),
        ("Content-Disposition : form-data; name=f; filename=a", true),
        ("Content-Disposition: form-data; x; name=f; filename = \"a\"", true),
        ("Content-Type: image/jpeg\r\nContent-Disposition: form-data; name=f", true),
        ("Content-Disposition: form-data; name=f\r\nContent-Type: Application/Octet-Stream; x=y", true),
        ("Content-Disposition: form-data; name=f\r\nContent-Type: binary/octet-stream", true),
        ("Content-Disposition: form-data; name*=utf-8''f\r\nContent-Type: image/x", true),
        ("Content-Disposition: form-data; name=f\r\nContent-Type: text/plain", false),
        ("Content-Disposition: form-data; name=f\r\nContent-Type: application/json", false),
        ("Content-Disposition: form-data; name=f\r\nContent-Disposition: form-data; name=g; filename=a", false),
    ])
    func aPartIsAFileByItsFileNameOrContentType(_ text: String, _ isFile: Bool) throws {
        let heading = try heading(Array(text.utf8))
        #expect(heading?.name == "f")
        #expect(heading?.isFile == isFile)
    }

    @Test(arguments: [
        "--x\r\n\r\nno heading\r\n--x--", "--x\r\nContent-Type: text/plain\r\n\r\n\r\n--x--",
        "--x\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n--x--", "--x##",
        "--x\r\nContent-Disposition: form-data\r\n\r\n",
    ])
    func malformedFormsAreRefused(_ body: String) throws {
        var parser = try parser()
        #expect(throws: FormParser.FormError.self) { try parser.feed(Array(body.utf8)) }
    }

    @Test func headerSizeAndNumberOfPartsAreLimited() throws {
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

    @Test func thePreambleIsSkipped() throws {
        let body = Array("preamble".utf8) + Array("\r\n".utf8) + Self.form
        #expect(try events(body, piece: 7).count == 5)
    }

    @Test(arguments: ["image/jpeg", "multipart/mixed; boundary=x", "", ";"])
    func otherContentTypesAreNotForms(_ contentType: String) throws {
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
