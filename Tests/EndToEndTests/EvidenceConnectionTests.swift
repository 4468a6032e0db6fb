import BifronsWire
import Glibc
import TestImages
import TestManifests
import Testing

/// A new network namespace, which has no address that a program in it could reach.
private enum NetworkNamespace {
    /// A command that replaces itself with the program that follows.
    static let command = ["/usr/bin/unshare", "--user", "--map-root-user", "--net"]
    /// Whether the system lets the tests make one.
    static let isAllowed: Bool = {
        guard let folder = try? TemporaryFolder() else { return false }
        let words = Array(command.dropFirst()) + ["/bin/true"]
        let child = try? ChildProcess(
            command[0], words, name: "unshare", folder: folder.path, diesWithTests: false)
        return (try? child?.waitForEnd()) == .exit(0)
    }()
}

extension EndToEndTests {
    /// Tests that whatever address a file names, no worker of evidence connects to it: in a network namespace of its
    /// own, in which the kernel counts every attempt.
    @Suite(.serialized, .enabled(if: NetworkNamespace.isAllowed, "this system allows no network namespaces"))
    struct EvidenceConnectionTests {
        private let folder: TemporaryFolder

        init() throws {
            folder = try TemporaryFolder()
            let ensemble = Files.ensembleWithoutEvidence
                .replacing(#""policies""#, with: #""evidence": ["provenance", "known"], "policies""#)
            try Files.write(Array(ensemble.utf8), to: "\(folder.path)/ensemble.json")
            mkdir("\(folder.path)/banks", 0o755)
            let banks = #"{"schema": 1, "banks": [{"name": "A", "kind": "block", "files": ["a.txt"]}]}"#
            try Files.write(Array(banks.utf8), to: "\(folder.path)/banks/banks.json")
            try Files.write([], to: "\(folder.path)/banks/a.txt")
        }

        /// Returns the numbers that the kernel counted in a process's network namespace, by protocol and name.
        private static func counters(_ process: String) throws -> [String: Int] {
            let lines = Files.text("/proc/\(process)/net/snmp").split(separator: "\n").map { $0.split(separator: " ") }
            var found: [String: Int] = [:]
            for (names, values) in zip(lines, lines.dropFirst()) where names.first == values.first {
                for (name, value) in zip(names, values).dropFirst() { found["\(names[0])\(name)"] = Int(value) }
            }
            try #require(found["Ip:OutNoRoutes"] != nil)
            return found
        }

        private static let attempts = ["Ip:OutRequests", "Ip:OutNoRoutes", "Tcp:ActiveOpens", "Udp:OutDatagrams"]

        /// Files that name addresses: where a manifest is, where a certificate is, and what an image comes from.
        private func files() throws -> [[UInt8]] {
            let address = "http://192.0.2.1:9/manifest.c2pa"
            let xmp = """
                <x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\
                <rdf:Description xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="\(address)"/></rdf:RDF>\
                </x:xmpmeta>
                """
            let header = TestImages.pngSignature.count + 25
            let texts =
                TestImages.chunk("iTXt", Array("XML:com.adobe.xmp\0\0\0\0\0\(xmp)".utf8))
                + TestImages.chunk("tEXt", Array("Source\0\(address)".utf8))
            let now = time(nil)
            let signer = try TestSigner(organisation: "Maker", validity: now - 1000..<now + 100_000)
            return [
                plainPNG[..<header] + texts + plainPNG[header...],
                try TestFile.jpeg.signed(.created("trainedAlgorithmicMedia", by: signer)),
            ]
        }

        @Test func noAddressInAFileIsConnectedTo() throws {
            let router = ["--models-folder=\(folder.path)", "--evidence-wait=60s"]
            try Cluster.run(router: router) { cluster in
                try cluster.startExaminer(of: .provenance, in: NetworkNamespace.command)
                try cluster.startExaminer(of: .known, ["--banks=\(folder.path)/banks"], in: NetworkNamespace.command)
                let client = try cluster.client()
                try client.waitForStatus { status in
                    EvidenceKind.allCases.allSatisfy { kind in status.workers.contains { $0.model == kind.rawValue } }
                }
                for file in try files() {
                    let document = try client.ask(Frames.request(#"{"verb":"examine"}"#, image: file)).document
                    #expect(document.evidence.map(\.status) == [.ok, .ok], "\(document)")
                }
                for worker in cluster.workers.suffix(2) {
                    let counters = try Self.counters("\(worker.pid)")
                    for name in Self.attempts { #expect(counters[name] == 0, "\(worker.name): \(counters)") }
                }
            }
        }

        /// Checks that the test above could fail.
        @Test func theKernelCountsAnAttempt() throws {
            let attempt = "exec 3<>/dev/tcp/192.0.2.1/9; cat /proc/self/net/snmp"
            let shell = try ChildProcess(
                NetworkNamespace.command[0],
                Array(NetworkNamespace.command.dropFirst()) + ["/bin/bash", "-c", attempt], name: "shell",
                folder: folder.path, diesWithTests: false)
            _ = try shell.waitForEnd()
            let lines = shell.standardOutput.split(separator: "\n").filter { $0.hasPrefix("Ip:") }
            let (names, values) = (lines[0].split(separator: " "), lines[1].split(separator: " "))
            let index = try #require(names.firstIndex(of: "OutNoRoutes"))
            #expect(values[index] == "1")
        }
    }
}
