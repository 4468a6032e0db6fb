import BifronsWire
import Testing

/// The code of the library's article (`BifronsWire.docc`), as it stands there. `scripts/check` compares the two.
@Suite struct ArticleTests {
    private let image: [UInt8] = [1, 2, 3]

    private func request() -> [[UInt8]] {
        // snippet: request
        var header = RequestHeader(verb: .classify, id: "a1")
        header.models = ["resnet"]
        header.budgetMilliseconds = 800
        let request: [[UInt8]] = [[7], [], Array(Limits.magic.utf8), header.encoded(), image]
        // end
        return request
    }

    // snippet: answer
    func answer(_ frames: [[UInt8]], _ judge: (RequestHeader) -> ResultDocument) -> [[UInt8]] {
        let magic = Array(Limits.magic.utf8)
        do throws(RequestFrames.Malformed) {
            let layout = try RequestFrames.locate(in: frames)
            let envelope = Array(frames[..<layout.envelopeCount])
            guard let place = layout.header else {
                // The image alone: every field is at its default, and the result comes alone, too.
                return envelope + [judge(RequestHeader(verb: .classify)).encoded()]
            }
            let result = Result { () throws(RequestHeader.Refused) in judge(try RequestHeader.decode(frames[place])) }
            switch result {
            case .success(let document): return envelope + [magic, document.encoded()]
            case .failure(let refused):
                return envelope + [magic, ResultDocument(id: refused.id, error: refused.error).encoded()]
            }
        } catch {
            let document = ResultDocument(id: nil, error: error.error)
            return Array(frames[..<error.envelopeCount]) + (error.form == .bare ? [] : [magic]) + [document.encoded()]
        }
    }
    // end

    private func status(_ frames: [[UInt8]]) throws -> Status {
        let reply = answer(frames) { ResultDocument(id: $0.id, status: .ok) }
        return try ResultDocument.decode(try #require(reply.last)).status
    }

    @Test func aRequestIsAnsweredWithItsEnvelope() throws {
        let reply = answer(request()) { ResultDocument(id: $0.id, status: .ok) }
        #expect(reply == [[7], [], Array("BIFRONS1".utf8), Array(#"{"id":"a1","status":200}"#.utf8)])
        #expect(try status([image]) == .ok)
        #expect(answer([[], []]) { _ in ResultDocument(id: nil, status: .ok) }.count == 2)
    }

    @Test func malformedRequestsAreAnsweredWithAnError() throws {
        #expect(try status([[7], [8]]) == .badRequest)
        #expect(try status([Array("BIFRONS1".utf8), [0], image]) == .badRequest)
    }

    @Test func aRefusedHeaderReportsItsID() {
        // snippet: refused
        do {
            _ = try RequestHeader.decode(Array(#"{"verb": "classify", "id": "a1", "priority": 10}"#.utf8))
        } catch {
            print(error.id ?? "no id", error.error.status.rawValue, error.error.message)
        }
        // end
    }

    @Test(arguments: [
        #"{"status":422,"error":{"code":"image_empty","message":"no bytes"}}"#,
        #"{"status":200,"verdict":{"label":"no_face","action":"review","policy":"default"},"faces":[]}"#,
    ])
    func aResultDocumentIsDecoded(_ text: String) throws {
        let frame = Array(text.utf8)
        // snippet: result
        let document = try ResultDocument.decode(frame)
        if let verdict = document.verdict {
            print(verdict.label.rawValue, verdict.aiProbability ?? .nan)
            for face in document.faces ?? [] { print(face.box, face.aiProbability) }
        } else if let error = document.error {
            print(document.status.rawValue, error.code, error.message)
        }
        // end
    }
}
