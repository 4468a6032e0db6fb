import Glibc

/// A connection to a gateway that sends exactly the bytes of a test. Every wait is bounded.
package final class HTTPConnection {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        init(_ description: String) { self.description = description }

        init(call: String, errno: Int32) { self.init("\(call): \(String(cString: strerror(errno)))") }
    }

    package struct Answer {
        package let status: Int
        /// The headers, by name in lower case.
        package let headers: [String: String]
        package let body: [UInt8]

        package var text: String { String(decoding: body, as: UTF8.self) }
    }

    private let socket: Int32
    private var received: [UInt8] = []
    /// Keeps the gateway running while a connection to it exists.
    private let gateway: any ListeningGateway

    fileprivate init(_ gateway: any ListeningGateway) throws {
        self.gateway = gateway
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw Failure(call: "socket", errno: errno) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = gateway.port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            let error = errno
            close(socket)
            throw Failure(call: "connect", errno: error)
        }
    }

    deinit { close(socket) }

    /// Sends all bytes, or as many as the gateway accepts before it closes the connection.
    package func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure(call: "send", errno: errno) }
            sent += count
        }
    }

    package func send(_ text: String) throws {
        try send(Array(text.utf8))
    }

    /// Makes the connection end with a reset when it is closed.
    package func endByReset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    /// Closes the sending direction. Answers may still arrive.
    package func endSending() {
        shutdown(socket, Int32(SHUT_WR))
    }

    package func send(
        _ method: String, _ path: String, _ headers: [String] = [], body: [UInt8]? = nil
    ) throws {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: gateway\r\n" + headers.map { $0 + "\r\n" }.joined()
        if let body { head += "Content-Length: \(body.count)\r\n" }
        try send(Array((head + "\r\n").utf8) + (body ?? []))
    }

    /// Returns the next answer, which must arrive.
    ///
    /// - Parameter method: The request's method. The answer to HEAD has a length but no body.
    package func receive(to method: String = "") throws -> Answer {
        while true {
            if let end = received.firstRange(of: Array("\r\n\r\n".utf8)) {
                let lines = String(decoding: received[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
                guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
                    throw Failure("the answer has no status: \(lines.first ?? "")")
                }
                var headers: [String: String] = [:]
                for line in lines.dropFirst() {
                    guard let colon = line.firstIndex(of: ":") else { continue }
                    headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
                }
                received.removeSubrange(..<end.upperBound)
                // Without a length the body is a stream, whose parts are read one by one.
                let length = method == "HEAD" ? 0 : headers["content-length"].flatMap { Int($0) } ?? 0
                while status >= 200, received.count < length {
                    guard try receiveMore() else { throw Failure("the body is cut short") }
                }
                let body = Array(received.prefix(status >= 200 ? length : 0))
                received.removeFirst(body.count)
                return Answer(status: status, headers: headers, body: body)
            }
            guard try receiveMore() else { throw Failure("the connection ended before an answer") }
        }
    }

    /// Waits until a text has arrived, and removes everything up to its end from the input.
    ///
    /// - Returns: The removed text.
    package func receive(upTo text: String) throws -> String {
        while true {
            if let found = received.firstRange(of: Array(text.utf8)) {
                defer { received.removeSubrange(..<found.upperBound) }
                return String(decoding: received[..<found.upperBound], as: UTF8.self)
            }
            guard try receiveMore() else { throw Failure("the connection ended before '\(text)'") }
        }
    }

    /// Waits for the connection's end and ignores what arrives before.
    package func waitForEnd() throws {
        while try receiveMore() {}
    }

    /// Receives more bytes.
    ///
    /// - Returns: False at the connection's end.
    private func receiveMore() throws -> Bool {
        var item = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        guard poll(&item, 1, Int32(Bounds.patience)) > 0 else {
            throw Failure("nothing came for \(Bounds.patience) ms")
        }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &buffer, buffer.count, 0)
        if count < 0, errno != ECONNRESET { throw Failure(call: "recv", errno: errno) }
        received += buffer[..<max(0, count)]
        return count > 0
    }
}

/// A gateway at a port of this machine.
package protocol ListeningGateway: AnyObject {
    var port: UInt16 { get }
}

extension ListeningGateway {
    package func connect() throws -> HTTPConnection {
        try HTTPConnection(self)
    }

    /// Sends one request on its own connection and returns the answer.
    package func ask(
        _ method: String, _ path: String, _ headers: [String] = [], body: [UInt8]? = nil
    ) throws -> HTTPConnection.Answer {
        let connection = try connect()
        try connection.send(method, path, headers, body: body)
        return try connection.receive(to: method)
    }

    /// Returns the headers and body of a form with files (field, name and content of each) and fields.
    package static func form(
        _ files: [(String, String, [UInt8])], _ fields: [String: String] = [:]
    ) -> (headers: [String], body: [UInt8]) {
        var body: [UInt8] = []
        for (name, fileName, bytes) in files {
            let heading = "Content-Disposition: form-data; name=\"\(name)\"; filename=\"\(fileName)\""
            body += Array("--b\r\n\(heading)\r\n\r\n".utf8) + bytes + Array("\r\n".utf8)
        }
        for (name, text) in fields {
            body += Array("--b\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(text)\r\n".utf8)
        }
        return (["Content-Type: multipart/form-data; boundary=b"], body + Array("--b--\r\n".utf8))
    }
}
