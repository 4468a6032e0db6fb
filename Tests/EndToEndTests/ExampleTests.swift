import BifronsWire
import Glibc
import TestImages
import Testing

extension EndToEndTests {
    /// Tests the clients of Examples/python with the real programs.
    @Suite(.serialized) struct ExampleTests {
        private static let submit = "\(Files.root)/Examples/python/submit.py"
        private static let pipeline = "\(Files.root)/Examples/python/pipeline.py"

        /// Makes the virtual environment unless it exists.
        static func preparePython(_ cluster: Cluster) throws {
            let process = try cluster.run(
                "\(Files.root)/scripts/python-environment",
                ["\(Files.root)/.venv-test", "\(Files.root)/Tests/requirements.txt"])
            try #require(process.wait(milliseconds: 0) == .exit(0), "\(process.standardError)")
        }

        @Test func submitExampleGetsAVerdict() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet", "inception"]) { cluster in
                try Self.preparePython(cluster)
                let image = try cluster.write(TestImages.jpeg(width: 200, height: 160), to: "image.jpg")
                let process = try cluster.run(Files.python, [Self.submit, cluster.clientEndpoint, image])
                #expect(process.wait(milliseconds: 0) == .exit(0), "\(process.standardError)")
                #expect(process.standardOutput.contains(#""verdict":{"label":""#))
                #expect(process.standardOutput.contains(#""status":200"#))
            }
        }

        @Test func pipelineExampleReportsEveryFile() throws {
            // The router takes fewer jobs than the pipeline's window, so the pipeline is refused and must try again.
            try Cluster.run(heartbeat: "500ms", router: ["--max-jobs=3"], workers: ["resnet", "inception"]) {
                cluster in
                try Self.preparePython(cluster)
                var folder = ""
                for number in 0..<12 {
                    let image = TestImages.jpeg(width: 100 + number, height: 100)
                    let path = try cluster.write(image, to: "images/\(number).jpg")
                    folder = String(path.prefix(upTo: path.lastIndex(of: "/")!))
                }
                _ = try cluster.write(Array("no image".utf8), to: "images/x.png")
                let process = try cluster.run(
                    Files.python,
                    [
                        Self.pipeline, folder, "--router", cluster.clientEndpoint, "--window", "8", "--budget-ms",
                        "25000",
                    ])
                #expect(process.wait(milliseconds: 0) == .exit(1), "\(process.standardError)")
                let lines = process.standardOutput.split(separator: "\n").map { $0.split(separator: "\t") }
                #expect(lines.count == 13)
                #expect(lines.count { $0[1] == "200" } == 12)
                #expect(lines.first { $0[0].hasSuffix("x.png") }?[2] == "image_unknown_format")
                let counters = try cluster.client().status().counters
                #expect(counters.rejected > 0)
            }
        }

        @Test func pipelineExampleReportsAMissingRouter() throws {
            try Cluster.run { cluster in
                try Self.preparePython(cluster)
                let process = try cluster.run(
                    Files.python, [Self.pipeline, cluster.path, "--router", cluster.clientEndpoint + "-none"])
                #expect(process.wait(milliseconds: 0) == .exit(69))
                #expect(process.standardError.contains("no router answers"))
            }
        }
    }
}
