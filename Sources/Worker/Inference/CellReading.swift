import Glibc

/// Reads what a locator's network says of its cells: which of them see a face, and where.
///
/// An anchor-free detector (Tian et al. 2019, FCOS): each cell of three grids, with 8, 16 and 32 pixels between
/// neighbours, tells a logit, the distances from its centre to the box's four sides and the offsets of five landmarks,
/// all in units of its grid's spacing. Cells that see the same face are thinned out by greedy non-maximum suppression.
/// The order of all steps is fixed, so that equal numbers give equal boxes.
struct CellReading {
    /// Pixels of the network's input between neighbouring cells of each grid.
    static let strides = [8, 16, 32]
    /// Numbers of a cell: logit, left, top, right, bottom, five times x and y.
    static let valuesPerCell = 15
    /// The most cells that are looked at, those of the highest logits.
    static let candidates = 256

    /// Cells of a square input of so many pixels, all grids together.
    static func cells(side: Int) -> Int {
        strides.reduce(0) { $0 + (side / $1) * (side / $1) }
    }

    /// Pixels of the network's square input.
    let side: Int
    /// The lowest probability of a face that counts, in 0…1.
    let score: Double
    /// Two boxes whose intersection over union is above this are of the same face.
    let overlap: Double
    /// When the picture is looked at turned, and what counts there; nil: never.
    var turned: Manifest.Turned?

    /// A picture and how it was put into the network's input.
    struct View {
        /// Pixels of the upright picture at full size.
        var width: Int
        var height: Int
        /// Pixels of the network's input that it takes as it stands.
        var fitted: (width: Int, height: Int)
        /// Pixels of the full-size picture to one of the network's input.
        var scaleX: Double
        var scaleY: Double
    }

    /// What the network says of a picture that is turned clockwise by so many quarters.
    struct Pass {
        /// ``valuesPerCell`` numbers for each of ``cells(side:)`` cells. What is not finite is no face.
        var cells: [Float]
        var quarters = 0

        /// Whether a cell has at least this logit.
        fileprivate func sees(_ lowest: Double) -> Bool {
            stride(from: 0, to: cells.count, by: CellReading.valuesPerCell).contains { place in
                cells[place].isFinite && Double(cells[place]) >= lowest
            }
        }
    }

    private struct Candidate {
        var logit: Float
        /// The number of the pass.
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

    /// Whether the picture is to be looked at turned, after this pass of it as it stands: no cell is sure enough of a face.
    func looksAgain(after pass: Pass) -> Bool {
        guard let turned else { return false }
        return !pass.sees(Self.logit(turned.below))
    }

    private static func logit(_ probability: Double) -> Double { log(probability / (1 - probability)) }

    /// The faces of a picture that one or more passes see, the largest first. If a turned one sees a face, those of all passes
    /// must be as probable as is asked there; else the picture as it stands counts alone.
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
            // A quarter exchanges sides.
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

    /// The order of candidates: the higher logit, then the earlier pass, then the earlier cell.
    private static func isSurer(_ left: Candidate, _ right: Candidate) -> Bool {
        if left.logit != right.logit { return left.logit > right.logit }
        return (left.pass, left.cell) < (right.pass, right.cell)
    }

    /// Where a point of the input that shows the picture turned lies in the one that shows it as it stands.
    private func upright(_ x: Double, _ y: Double, _ quarters: Int, _ view: View) -> (x: Double, y: Double) {
        let (width, height) = (Double(view.fitted.width), Double(view.fitted.height))
        return switch quarters {
        case 0: (x, y)
        case 1: (y, height - x)
        case 2: (width - x, height - y)
        default: (width - y, x)
        }
    }

    /// The middle of a cell in pixels of the network's input, and the spacing of its grid.
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

    /// The part of a candidate's box that is in the picture, in whole pixels.
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
