import BifronsWire
import ImageDecoding
import ImageDrawing
import TestImages
import Testing

extension EndToEndTests {
    /// Tests finding faces, from a file on a socket to boxes in the reply, with the real workers and the real locator.
    @Suite(.serialized) struct FacesTests {
        /// A portrait from a Debian package, 512 × 600. `face` is its face, marked by hand.
        private static let portrait = Result {
            let folders = ["/usr/share/matplotlib/mpl-data/sample_data", "/usr/share/matplotlib/sample_data"]
            let file = folders.map { Files.bytes("\($0)/grace_hopper.jpg") }.first { !$0.isEmpty }
            return try ImageDecoder().decode(#require(file, "run `make packages`: the portrait is missing")).image
        }
        /// Resizing is slow in an unoptimised build.
        private static let patience = #""budget_ms":25000"#
        private static let face = (x: 172, y: 125, width: 185, height: 210)

        /// A gray canvas with portraits on it.
        private struct Canvas {
            let width: Int
            let height: Int
            var pixels: [UInt8]

            init(_ width: Int, _ height: Int, gray: UInt8 = 128) {
                self.width = width
                self.height = height
                pixels = Array(repeating: gray, count: width * height * 3)
            }

            /// Pastes the portrait, scaled by `scale`, with its corner at (`x`, `y`). Parts outside of the canvas are
            /// cut off.
            mutating func paste(_ image: RGBImage, x: Int, y: Int, scale: Double) {
                let step = max(1, Int((1 / scale).rounded()))
                for row in 0..<Int(Double(image.height) * scale) where (0..<height).contains(y + row) {
                    for column in 0..<Int(Double(image.width) * scale) where (0..<width).contains(x + column) {
                        let source = (Int(Double(column) / scale), Int(Double(row) / scale))
                        for channel in 0..<3 {
                            // The mean of a row of source pixels, so that a small portrait is not blocky.
                            var (sum, count) = (0, 0)
                            for u in source.0..<min(source.0 + step, image.width) {
                                for v in source.1..<min(source.1 + step, image.height) {
                                    sum += Int(image.pixels[(v * image.width + u) * 3 + channel])
                                    count += 1
                                }
                            }
                            pixels[((y + row) * width + x + column) * 3 + channel] = UInt8(sum / count)
                        }
                    }
                }
            }

            func file(as format: ImageEncoder.Format = .jpeg) throws -> [UInt8] {
                try ImageEncoder.encode(RGBImage(width: width, height: height, pixels: pixels), as: format)
            }
        }

        private static func canvas(
            _ width: Int, _ height: Int, _ places: [(x: Int, y: Int, scale: Double)]
        ) throws -> Canvas {
            var canvas = Canvas(width, height)
            for place in places {
                canvas.paste(try portrait.get(), x: place.x, y: place.y, scale: place.scale)
            }
            return canvas
        }

        /// Returns the intersection over union of a box and the face of a portrait pasted at a place.
        private static func overlap(_ box: Box, _ place: (x: Int, y: Int, scale: Double)) -> Double {
            func at(_ value: Int, _ offset: Int) -> Double { Double(offset) + Double(value) * place.scale }
            let (left, top) = (at(face.x, place.x), at(face.y, place.y))
            let (right, bottom) = (at(face.x + face.width, place.x), at(face.y + face.height, place.y))
            let width = min(right, Double(box.x + box.width)) - max(left, Double(box.x))
            let height = min(bottom, Double(box.y + box.height)) - max(top, Double(box.y))
            guard width > 0, height > 0 else { return 0 }
            let union = (right - left) * (bottom - top) + Double(box.width) * Double(box.height) - width * height
            return width * height / union
        }

        private static func faces(_ image: [UInt8], _ client: TestClient, model: String = "resnet") throws -> [Box] {
            let reply = try client.ask(Frames.classify(image, "\"models\":[\"\(model)\"],\(patience)"))
            try #require(reply.status == 200, "\(reply.document)")
            return try #require(reply.document.faces).map(\.box)
        }

        @Test func bothModelsGetExactlyTheSameFaces() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet", "inception"]) { cluster in
                let client = try cluster.client()
                let images = try [
                    Self.canvas(512, 600, [(0, 0, 1)]), Self.canvas(900, 500, [(-40, -30, 0.8), (420, 60, 0.6)]),
                    Self.canvas(1400, 900, [(100, 90, 0.5), (600, 300, 1), (1100, 20, 0.3)]),
                ]
                for image in images {
                    let file = try image.file()
                    let alone = try ["resnet", "inception"].map { try Self.faces(file, client, model: $0) }
                    #expect(!alone[0].isEmpty && alone[0] == alone[1])
                    let reply = try client.ask(Frames.classify(file, Self.patience))
                    let faces = try #require(reply.document.faces)
                    #expect(faces.map(\.box) == alone[0])
                    #expect(faces.allSatisfy { $0.models.map(\.name) == ["resnet", "inception"] })
                    // The verdict comes from the most suspicious face.
                    #expect(reply.document.verdict?.aiProbability == faces.map(\.aiProbability).max())
                }
            }
        }

        @Test func everyFaceHasAHeatMapOfEachModelOnRequest() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet", "inception"]) { cluster in
                let client = try cluster.client()
                let file = try Self.canvas(900, 500, [(-40, -30, 0.8), (420, 60, 0.6)]).file()
                let asked = try client.ask(Frames.classify(file, #""explain":true,\#(Self.patience)"#)).document
                let faces = try #require(asked.faces)
                #expect(faces.count == 2 && asked.maps.isEmpty)
                for face in faces {
                    #expect(face.maps.keys.sorted() == ["inception", "resnet"])
                    for map in face.maps.values {
                        // A cell is a sixteenth of the input's side.
                        #expect(map.evidence.width == 12 && map.evidence.height == 12)
                        #expect(map.evidence.cells.max() == 255)
                        let (box, square) = (face.box, map.square)
                        #expect(square.x >= 0 && square.x + square.width <= 900 && square.y >= 0)
                        #expect(square.width > max(box.width, box.height) && square.width == square.height)
                    }
                }
                let plain = try client.ask(Frames.classify(file, Self.patience)).document
                #expect(try #require(plain.faces).allSatisfy(\.maps.isEmpty))

                let nobody = try Canvas(64, 40).file()
                let central = try client.ask(Frames.classify(nobody, #""explain":true,\#(Self.patience)"#)).document
                #expect(central.faces == [] && central.maps.keys.sorted() == ["inception", "resnet"])
                #expect(central.maps["resnet"]?.square == Box(x: 12, y: 0, width: 40, height: 40))
            }
        }

        @Test func facesAreFoundAtTheirPositions() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet"]) { cluster in
                let client = try cluster.client()
                func expect(
                    _ places: [(x: Int, y: Int, scale: Double)], of size: (Int, Int),
                    sourceLocation: SourceLocation = #_sourceLocation
                ) throws {
                    let found = try Self.faces(Self.canvas(size.0, size.1, places).file(), client)
                    #expect(found.count == places.count, "\(found)", sourceLocation: sourceLocation)
                    for (place, box) in zip(places, found) {
                        #expect(Self.overlap(box, place) > 0.5, "\(box) for \(place)", sourceLocation: sourceLocation)
                    }
                }
                try expect([(0, 0, 1)], of: (512, 600))
                try expect([(0, 0, 1)], of: (1024, 1024))
                // Located at a quarter of the size, with each face cut from a finer image.
                try expect([(1900, 300, 1.2), (300, 500, 0.9)], of: (2600, 1500))
                // The largest first.
                try expect([(520, 100, 0.7), (20, 30, 0.5), (300, 300, 0.35)], of: (900, 600))
            }
        }

        @Test func theBoxOfAFaceAtTheBorderLiesInsideTheImage() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet"]) { cluster in
                let client = try cluster.client()
                for place in [(-230, 0, 1.0), (0, -150, 1.0), (150, 250, 1.0)] {
                    for box in try Self.faces(Self.canvas(400, 500, [place]).file(as: .png), client) {
                        #expect(box.x >= 0 && box.y >= 0 && box.width > 0 && box.height > 0)
                        #expect(box.x + box.width <= 400 && box.y + box.height <= 500, "\(box)")
                    }
                }
            }
        }

        @Test func theSixteenLargestOfManyFacesAreScored() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet", "inception"]) { cluster in
                let client = try cluster.client()
                // 25 faces, and 100 that are too small for all of them to be found.
                for (side, fewest) in [(5, 16), (10, 0)] {
                    let step = 1500 / side
                    let places = (0..<(side * side)).map {
                        (x: $0 % side * step, y: $0 / side * step, scale: Double(step) / 600)
                    }
                    let file = try Self.canvas(1500, 1500, places).file()
                    let reply = try client.ask(Frames.classify(file, Self.patience))
                    #expect(reply.status == 200)
                    let faces = try #require(reply.document.faces)
                    #expect((fewest...16).contains(faces.count))
                    let found = try #require(reply.document.facesFound)
                    #expect(faces.count == 16 ? (16...256).contains(found) : found == faces.count)
                    if side == 5 { #expect(found > 16) }
                    let areas = faces.map { $0.box.width * $0.box.height }
                    #expect(areas == areas.sorted(by: >))
                }
                #expect(try client.status().counters.workersLost == 0)
            }
        }

        @Test func anImageWithoutAFaceIsReportedAsSuchAndItsCentralSquareScored() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet", "inception"]) { cluster in
                let client = try cluster.client()
                let images: [(String, [UInt8])] = try [
                    ("1 × 1", TestImages.png(width: 1, height: 1)), ("1 × 1", TestImages.jpeg(width: 1, height: 1)),
                    ("20000 × 10", TestImages.jpeg(width: 20000, height: 10)),
                    ("10 × 20000", TestImages.png(width: 10, height: 20000)),
                    ("white", Canvas(700, 500, gray: 255).file()), ("8 × 8", Canvas(8, 8).file(as: .png)),
                    ("a face of 8 pixels", Self.canvas(800, 600, [(300, 200, 8.0 / 220)]).file(as: .png)),
                ]
                for (what, image) in images {
                    let reply = try client.ask(Frames.classify(image, Self.patience))
                    #expect(reply.status == 200, "\(what)")
                    #expect(reply.document.faces == [], "\(what)")
                    #expect(reply.document.facesFound == 0, "\(what)")
                    let verdict = try #require(reply.document.verdict)
                    #expect(verdict.label == .noFace && verdict.aiProbability == nil, "\(what)")
                    #expect(verdict.action == .review, "\(what)")
                    #expect(reply.document.models.allSatisfy { $0.aiProbability != nil }, "\(what)")
                }
            }
        }

        @Test func anUpsideDownImageIsTurnedOnlyByItsEXIFOrientation() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet"]) { cluster in
                let client = try cluster.client()
                let portrait = try Self.portrait.get()
                // Turned by 180°: every pixel in the opposite order.
                var turned: [UInt8] = []
                for place in stride(from: portrait.pixels.count - 3, through: 0, by: -3) {
                    turned += portrait.pixels[place..<place + 3]
                }
                let image = RGBImage(width: portrait.width, height: portrait.height, pixels: turned)
                let file = try ImageEncoder.encode(image, as: .jpeg)
                let flagged = TestImages.insert(TestImages.exifSegment(TestImages.tiff(orientation: 3)), into: file)
                let found = try Self.faces(flagged, client)
                #expect(found.count == 1 && Self.overlap(found[0], (0, 0, 1)) > 0.5)
                // Nothing declares the image upside down, so whatever is found is not the upright face.
                #expect(try Self.faces(file, client).allSatisfy { Self.overlap($0, (0, 0, 1)) < 0.5 })
            }
        }
    }
}
