import Glibc

/// Decodes the output of a locator's network: finds the cells that see a face and computes their bounding boxes.
///
/// The network is an anchor-free detector (Tian et al. 2019, FCOS). Each cell of three grids, with a spacing of 8, 16
/// and 32 pixels, gives a logit, the distances from its centre to the four sides of the box, and the offsets of five
/// landmarks. Distances and offsets are in units of the grid's spacing. Greedy non-maximum suppression removes cells
/// that see the same face. The order of all steps is fixed, so equal numbers give equal boxes.
struct CellReading {
    /// The spacing of each grid, in pixels of the network's input.
    static let strides = [8, 16, 32]
    /// The numbers per cell: logit, left, top, right, bottom, then x and y of five landmarks.
    static let valuesPerCell = 15
    /// The most cells that are considered: those with the highest logits.
    static let candidates = 256

    /// Returns the number of cells of all grids for a square input of `side` pixels.
    static func cells(side: Int) -> Int {
        strides.reduce(0) { $0 + (side / $1) * (side / $1) }
    }

    /// The side of the network's square input, in pixels.
    let side: Int
    /// The lowest probability at which a cell counts as a face; between 0 and 1.
    let score: Double
    /// The intersection over union above which two boxes belong to the same face; between 0 and 1.
    let overlap: Double
    /// When to run the network on the turned image too, and which score counts there; nil: never.
    var turned: Manifest.Turned?

    /// An image and how it is fitted into the network's input.
    struct View {
        /// The width in pixels of the upright image at full size.
        /// The height in pixels of the upright image at full size.
        var width: Int
        var height: Int
        /// The size of the unturned image in the network's input, in pixels.
        var fitted: (width: Int, height: Int)
        /// The width of one input pixel, in pixels of the full-size image.
        /// The height of one input pixel, in pixels of the full-size image.
        var scaleX: Double
        var scaleY: Double
    }

    /// The network's output for an image that was turned clockwise by `quarters` × 90°.
    struct Pass {
        /// ``valuesPerCell`` numbers for each of ``cells(side:)`` cells. A cell with a logit that is not finite sees no
        /// face.
        var cells: [Float]
        var quarters = 0

        /// Returns whether any cell has at least this logit.
        fileprivate func sees(_ lowest: Double) -> Bool {
            stride(from: 0, to: cells.count, by: CellReading.valuesPerCell).contains { place in
                cells[place].isFinite && Double(cells[place]) >= lowest
            }
        }
    }

    private struct Candidate {
        var logit: Float
        /// The index of the pass.
        var pass: Int
        var cell: Int
        var x0 = 0.0
        var y0 = 0.0
        var x1 = 0.0
        var y1 = 0.0

        var area: Double { (x1 - x0) * (y1 - y0) }

        func overlap(with other: Candidate) -> Double {
            let width = min(x1, other.x1) - max(x0, other.x0)
            let height = min(y1, other.y1) - max(y0, other.y0)
            guard width > 0, height > 0 else { return 0 }
            return width * height / (area + other.area - width * height)
        }
    }

    /// Returns whether to run the network on the turned image too, because no cell of the unturned one is sure enough
    /// of a face.
    func looksAgain(after pass: Pass) -> Bool {
        guard let turned else { return false }
        return !pass.sees(Self.logit(turned.below))
    }

    private static func logit(_ probability: Double) -> Double { log(probability / (1 - probability)) }

    /// Returns the faces that the passes see, the largest first. If a turned pass sees a face, all passes count and
    /// faces need the probability required for turned images. Otherwise only the unturned pass counts.
    func faces(_ passes: [Pass], in view: View) -> [Face] {
        let again = turned.map { Self.logit($0.score) }
            .flatMap { lowest in passes.contains { $0.quarters > 0 && $0.sees(lowest) } ? lowest : nil }
        let lowest = again ?? Self.logit(score)
        var candidates: [Candidate] = []
        for (number, pass) in passes.enumerated() where pass.quarters == 0 || again != nil {
            precondition(pass.cells.count == Self.cells(side: side) * Self.valuesPerCell)
            for cell in 0..<(pass.cells.count / Self.valuesPerCell) {
                let logit = pass.cells[cell * Self.valuesPerCell]
                if logit.isFinite, Double(logit) >= lowest {
                    candidates.append(Candidate(logit: logit, pass: number, cell: cell))
                }
            }
        }
        candidates.sort(by: Self.isSurer)

        var kept: [Candidate] = []
        for var candidate in candidates.prefix(Self.candidates) {
            let pass = passes[candidate.pass]
            let (centreX, centreY, stride) = centre(of: candidate.cell)
            func value(_ place: Int) -> Double {
                Double(pass.cells[candidate.cell * Self.valuesPerCell + place]) * stride
            }
            let first = upright(centreX - value(1), centreY - value(2), pass.quarters, view)
            let last = upright(centreX + value(3), centreY + value(4), pass.quarters, view)
            // A turn by 90° swaps the sides of the box.
            let (mirrorsX, mirrorsY) = (pass.quarters >= 2, pass.quarters == 1 || pass.quarters == 2)
            candidate.x0 = (mirrorsX ? last : first).x * view.scaleX
            candidate.y0 = (mirrorsY ? last : first).y * view.scaleY
            candidate.x1 = (mirrorsX ? first : last).x * view.scaleX
            candidate.y1 = (mirrorsY ? first : last).y * view.scaleY
            guard candidate.area.isFinite, candidate.x1 > candidate.x0, candidate.y1 > candidate.y0 else { continue }
            if kept.allSatisfy({ $0.overlap(with: candidate) <= overlap }) { kept.append(candidate) }
        }

        return
            kept
            .map { (candidate: $0, box: box($0, in: view)) }
            .sorted { left, right in
                let (leftArea, rightArea) = (left.box.width * left.box.height, right.box.width * right.box.height)
                if leftArea != rightArea { return leftArea > rightArea }
                return Self.isSurer(left.candidate, right.candidate)
            }
            .map {
                let pass = passes[$0.candidate.pass]
                return Face(
                    box: $0.box, logit: $0.candidate.logit, landmarks: landmarks(of: $0.candidate.cell, pass, view))
            }
    }

    /// Returns whether one candidate comes before another: by higher logit, then earlier pass, then earlier cell.
    private static func isSurer(_ left: Candidate, _ right: Candidate) -> Bool {
        if left.logit != right.logit { return left.logit > right.logit }
        return (left.pass, left.cell) < (right.pass, right.cell)
    }

    /// Maps a point of the turned image's input to the input of the unturned image.
    private func upright(_ x: Double, _ y: Double, _ quarters: Int, _ view: View) -> (x: Double, y: Double) {
        let (width, height) = (Double(view.fitted.width), Double(view.fitted.height))
        return switch quarters {
        case 0: (x, y)
        case 1: (y, height - x)
        case 2: (width - x, height - y)
        default: (width - y, x)
        }
    }

    /// Returns the centre of a cell and the spacing of its grid, in pixels of the network's input.
    private func centre(of cell: Int) -> (x: Double, y: Double, stride: Double) {
        var rest = cell
        for stride in Self.strides {
            let columns = side / stride
            if rest < columns * columns {
                let spacing = Double(stride)
                return ((Double(rest % columns) + 0.5) * spacing, (Double(rest / columns) + 0.5) * spacing, spacing)
            }
            rest -= columns * columns
        }
        preconditionFailure("cell \(cell) is beyond the last grid")
    }

    /// Returns the part of a candidate's box inside the image, in whole pixels.
    private func box(_ candidate: Candidate, in view: View) -> FaceBox {
        func span(_ from: Double, _ to: Double, _ size: Int) -> (start: Int, length: Int) {
            func pixel(_ value: Double) -> Int { Int((min(max(value, 0), Double(size)) + 0.5).rounded(.down)) }
            let start = min(pixel(from), size - 1)
            return (start, max(pixel(to) - start, 1))
        }
        let across = span(candidate.x0, candidate.x1, view.width)
        let down = span(candidate.y0, candidate.y1, view.height)
        return FaceBox(x: across.start, y: down.start, width: across.length, height: down.length)
    }

    private func landmarks(of cell: Int, _ pass: Pass, _ view: View) -> [Face.Point] {
        let (centreX, centreY, stride) = centre(of: cell)
        return (0..<5).map { index in
            let place = cell * Self.valuesPerCell + 5 + 2 * index
            let point = upright(
                centreX + Double(pass.cells[place]) * stride, centreY + Double(pass.cells[place + 1]) * stride,
                pass.quarters, view)
            return Face.Point(x: point.x * view.scaleX, y: point.y * view.scaleY)
        }
    }
}
