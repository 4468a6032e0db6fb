import Testing

@testable import Inference

@Suite struct CellReadingTests {
    /// A locator with an input of 64 pixels a side: 8 × 8, 4 × 4 and 2 × 2 cells.
    private let reading = CellReading(side: 64, score: 0.5, overlap: 0.4)
    private static let view = CellReading.View(width: 64, height: 64, fitted: (64, 64), scaleX: 1, scaleY: 1)

    /// The cells of a pass. Those that a test does not set see no face.
    private struct Cells {
        var values = [Float](repeating: -20, count: 84 * 15)

        /// Makes a cell see a face.
        ///
        /// - Parameters:
        ///   - cell: The cell's index.
        ///   - logit: The cell's logit.
        ///   - box: The distances to left, top, right and bottom, in units of the grid's spacing.
        ///   - landmarks: The offsets of the landmarks, in the same units; nil: zero.
        mutating func see(_ cell: Int, _ logit: Float, _ box: [Float] = [1, 1, 1, 1], landmarks: [Float]? = nil) {
            values.replaceSubrange(
                cell * 15..<(cell + 1) * 15, with: [logit] + box + (landmarks ?? Array(repeating: 0, count: 10)))
        }
    }

    private func faces(
        _ reading: CellReading? = nil, in view: CellReading.View = view, _ fill: (inout Cells) -> Void
    ) -> [Face] {
        var cells = Cells()
        fill(&cells)
        return (reading ?? self.reading).faces([CellReading.Pass(cells: cells.values)], in: view)
    }

    @Test func cellsBelowTheThresholdGiveNoFace() {
        #expect(faces { _ in } == [])
    }

    @Test func aBoxIsRelativeToItsCellsCentreInUnitsOfItsGrid() {
        // Cells in column 2, row 1 of the first two grids, with centres (20, 12) and (40, 24), and in column 1, row 0
        // of the third, with centre (48, 16).
        #expect(faces { $0.see(10, 3, [1, 0.5, 2, 1]) }.map(\.box) == [FaceBox(x: 12, y: 8, width: 24, height: 12)])
        #expect(
            faces { $0.see(64 + 6, 3, [1, 0.5, 1, 1]) }.map(\.box) == [FaceBox(x: 24, y: 16, width: 32, height: 24)])
        #expect(
            faces { $0.see(80 + 1, 3, [0.5, 0.25, 0.25, 1]) }.map(\.box)
                == [FaceBox(x: 32, y: 8, width: 24, height: 40)])
    }

    @Test func landmarksAreOffsetsFromTheCellsCentre() throws {
        let offsets: [Float] = [-1, -0.5, 1, -0.5, 0, 0, -0.75, 1, 0.75, 1]
        let view = CellReading.View(width: 640, height: 320, fitted: (64, 64), scaleX: 10, scaleY: 5)
        let face = try #require(faces(in: view) { $0.see(10, 2, landmarks: offsets) }.first)
        #expect(face.logit == 2)
        #expect(face.landmarks.map(\.x) == [120, 280, 200, 140, 260])
        #expect(face.landmarks.map(\.y) == [40, 40, 60, 100, 100])
    }

    @Test func boxesAreRoundedToPixelsOfTheFullImageAndClippedToIt() {
        let view = CellReading.View(width: 101, height: 47, fitted: (64, 30), scaleX: 101.0 / 64, scaleY: 47.0 / 30)
        // 12…28 × 4…20 in the network's input is 18.94…44.19 × 6.27…31.33 in the image.
        #expect(faces(in: view) { $0.see(10, 3) }.map(\.box) == [FaceBox(x: 19, y: 6, width: 25, height: 25)])
        #expect(
            faces(in: view) { $0.see(10, 3, [9, 9, 9, 9]) }.map(\.box) == [FaceBox(x: 0, y: 0, width: 101, height: 47)])
        // Entirely below the image, where the input is empty.
        #expect(
            faces(in: view) { $0.see(63, 3, [0.1, 0.1, 0.1, 0.1]) }.map(\.box)
                == [FaceBox(x: 93, y: 46, width: 3, height: 1)])
    }

    @Test func theThresholdIsAProbability() {
        let strict = CellReading(side: 64, score: 0.9, overlap: 0.4)
        #expect(faces(strict) { $0.see(10, 2.19) }.isEmpty)
        #expect(faces(strict) { $0.see(10, 2.2) }.count == 1)
    }

    @Test func theMostProbableOfOverlappingBoxesIsKept() {
        // Neighbouring cells whose boxes share half of each, 1/3 of their union. Then boxes that share three quarters:
        // 3/5.
        #expect(
            faces {
                $0.see(10, 1); $0.see(11, 3)
            }.count == 2)
        let close = faces {
            $0.see(10, 1, [2, 2, 2, 2])
            $0.see(11, 3, [2, 2, 2, 2])
        }
        #expect(close.map(\.logit) == [3])
    }

    @Test func aBoxThatOverlapsOnlyASuppressedBoxIsKept() {
        // 10 suppresses 11. 11 would have suppressed 13, but 10 does not.
        let seen = faces {
            $0.see(10, 3, [2, 2, 2, 2])
            $0.see(11, 2, [2, 2, 2, 2])
            $0.see(13, 1, [2, 2, 2, 2])
        }
        #expect(Set(seen.map(\.logit)) == [3, 1])
    }

    @Test func theFirstCellWinsAmongEqualLogits() {
        let seen = faces {
            $0.see(11, 3, [2, 2, 2, 2])
            $0.see(10, 3, [2, 2, 2, 2])
        }
        #expect(seen.map(\.box.x) == [4])
    }

    @Test func theLargestFaceComesFirst() {
        let seen = faces {
            $0.see(0, 9, [0.25, 0.25, 0.25, 0.25])
            $0.see(83, 1, [0.5, 0.5, 0.5, 0.5])
            $0.see(7, 5, [0.5, 0.5, 0.5, 0.5])
        }
        #expect(seen.map(\.logit) == [1, 5, 9])
    }

    @Test func allOfManyFacesAreReturnedLargestFirst() {
        let seen = faces { cells in
            // Boxes of 3 to 6 pixels, the larger ones further down.
            for cell in 0..<64 { cells.see(cell, 5, Array(repeating: 0.2 + Float(cell) / 400, count: 4)) }
        }
        #expect(seen.count == 64)
        #expect(seen.prefix(16).allSatisfy { $0.box.width >= 5 })
        #expect(seen.first?.box.width == 6)
    }

    @Test func onlyTheMostProbableCandidatesUpToTheLimitAreConsidered() {
        let large = CellReading(side: 320, score: 0.5, overlap: 0.4)
        var values = [Float](repeating: 0, count: CellReading.cells(side: 320) * 15)
        for cell in 0..<1600 {
            // The 256 surest cells all see the same face. Each other cell sees a larger face of its own.
            let isSure = cell < 256
            values[cell * 15] = isSure ? 5 : 1
            let (column, row) = (Float(cell % 40), Float(cell / 40))
            let box: [Float] = isSure ? [column + 0.5, row + 0.5, 1 - column, 1 - row] : [1, 1, 1, 1]
            values.replaceSubrange(cell * 15 + 1..<cell * 15 + 5, with: box)
        }
        let view = CellReading.View(width: 320, height: 320, fitted: (320, 320), scaleX: 1, scaleY: 1)
        let seen = large.faces([CellReading.Pass(cells: values)], in: view)
        #expect(seen.map(\.box) == [FaceBox(x: 0, y: 0, width: 12, height: 12)])
    }

    @Test(arguments: [
        (0, FaceBox(x: 12, y: 8, width: 24, height: 12), (12.0, 8.0)),
        (1, FaceBox(x: 8, y: 12, width: 12, height: 24), (8.0, 36.0)),
        (2, FaceBox(x: 12, y: 28, width: 24, height: 12), (36.0, 40.0)),
        (3, FaceBox(x: 44, y: 12, width: 12, height: 24), (56.0, 12.0)),
    ])
    func facesOfATurnedImageAreMappedBackToTheOriginal(quarters: Int, box: FaceBox, eye: (Double, Double)) throws {
        // A face at 12…36 × 8…20 of the turned image.
        let fitted = [(64, 40), (64, 48), (48, 48), (64, 40)][quarters]
        let view = CellReading.View(width: 64, height: 64, fitted: fitted, scaleX: 1, scaleY: 1)
        let reading = CellReading(side: 64, score: 0.5, overlap: 0.4, turned: .init(below: 0.99, score: 0.5))
        var cells = Cells()
        cells.see(10, 3, [1, 0.5, 2, 1], landmarks: [-1, -0.5] + Array(repeating: 0, count: 8))
        let passes = [CellReading.Pass(cells: cells.values, quarters: quarters)]
        let face = try #require(reading.faces(passes, in: view).first)
        #expect(face.box == box)
        #expect((face.landmarks[0].x, face.landmarks[0].y) == eye)
    }

    @Test(arguments: [(0.7, [2]), (0.6, [0.5, 2]), (0.9, [0.5, 1])] as [(Double, [Float])])
    func aTurnedPassCountsIfItFindsAFaceAndThenSetsTheThreshold(score: Double, logits: [Float]) {
        let reading = CellReading(side: 64, score: 0.5, overlap: 0.4, turned: .init(below: 0.99, score: score))
        var (upright, turned) = (Cells(), Cells())
        upright.see(27, 1, [1.5, 1.5, 2.5, 2.5])
        upright.see(0, 0.5, [0.5, 0.5, 0.5, 0.5])
        turned.see(27, 2, [1.5, 1.5, 2.5, 2.5])
        let passes = [
            CellReading.Pass(cells: upright.values), CellReading.Pass(cells: turned.values, quarters: 2),
        ]
        #expect(reading.faces(passes, in: Self.view).map(\.logit).sorted() == logits)
        #expect(reading.looksAgain(after: passes[0]))
    }

    @Test func aSufficientlyProbableFaceNeedsNoTurnedPass() {
        var cells = Cells()
        cells.see(27, 1.4)
        let pass = CellReading.Pass(cells: cells.values)
        for (below, isAgain) in [(0.8, false), (0.81, true)] {
            let turned = Manifest.Turned(below: below, score: 0.6)
            let reading = CellReading(side: 64, score: 0.5, overlap: 0.4, turned: turned)
            #expect(reading.looksAgain(after: pass) == isAgain)
        }
        #expect(!reading.looksAgain(after: CellReading.Pass(cells: Cells().values)))
    }

    @Test func nonFiniteLogitsAndInvalidBoxesGiveNoFace() {
        for value in [Float.nan, .infinity, -.infinity] {
            #expect(faces { $0.see(10, value) }.isEmpty)
            for place in 0..<4 {
                var box: [Float] = [1, 1, 1, 1]
                box[place] = value
                #expect(faces { $0.see(10, 3, box) }.isEmpty)
            }
        }
        #expect(faces { $0.see(10, 3, [-2, 1, 1, 1]) }.isEmpty)
        #expect(faces { $0.see(10, 3, [0, 0, 0, 0]) }.isEmpty)
    }
}
