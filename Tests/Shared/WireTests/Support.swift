import BifronsWire
import Testing

func decodeHeader(_ text: String) throws(RequestHeader.Refused) -> RequestHeader {
    try decodeHeader(Array(text.utf8))
}

func decodeHeader(_ bytes: [UInt8]) throws(RequestHeader.Refused) -> RequestHeader {
    try RequestHeader.decode(bytes)
}

func decodeWorkerMessage(_ bytes: [UInt8]) throws(MalformedMessage) -> WorkerMessage {
    try bytes.withUnsafeBytes { bytes in Result { () throws(MalformedMessage) in try WorkerMessage.decode(bytes) } }
        .get()
}

func decodeRouterMessage(_ bytes: [UInt8]) throws(MalformedMessage) -> RouterMessage {
    try bytes.withUnsafeBytes { bytes in Result { () throws(MalformedMessage) in try RouterMessage.decode(bytes) } }
        .get()
}

/// Returns the error of a header that must be refused.
func refusal(_ text: String, _ location: SourceLocation = #_sourceLocation) throws -> RequestHeader.Refused {
    try refusal(Array(text.utf8), location)
}

func refusal(_ bytes: [UInt8], _ location: SourceLocation = #_sourceLocation) throws -> RequestHeader.Refused {
    try #require(throws: RequestHeader.Refused.self, sourceLocation: location) { try decodeHeader(bytes) }
}

extension [UInt8] {
    var text: String { String(decoding: self, as: UTF8.self) }
}
