import TestKit
import Testing

/// The real gateway beside a cluster.
final class TestGateway: ListeningGateway {
    let process: ChildProcess
    let port: UInt16

    init(_ process: ChildProcess) throws {
        self.process = process
        var port: UInt16?
        try process.wait {
            port = process.standardError.split(separator: "url=http://127.0.0.1:").dropFirst().first
                .flatMap { UInt16($0.prefix { $0.isNumber }) }
            return port != nil
        }
        self.port = try #require(port)
    }

    var url: String { "http://127.0.0.1:\(port)" }
}
