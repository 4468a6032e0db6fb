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

    /// A picture and how it was put into the network's input.
    struct View {
        /// Pixels of the upright picture at full size.
        var width: Int
        var height: Int
        /// Pixels of the full-size picture to one of the network's input.
        var scaleX: Double
        var scaleY: Double
    }

    private struct Candidate {
        var logit: Float
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

    /// The faces of a picture, the largest first.
    ///
    /// - Parameter cells: ``valuesPerCell`` numbers for each of ``cells(side:)`` cells. What is not finite is no face.
    func faces(_ cells: UnsafeBufferPointer<Float>, in view: View) -> [Face] {
        precondition(cells.count == Self.cells(side: side) * Self.valuesPerCell)
        let lowest = score <= 0 ? -Double.infinity : score >= 1 ? Double.infinity : log(score / (1 - score))
        var candidates: [Candidate] = []
        for cell in 0..<(cells.count / Self.valuesPerCell) {
            let logit = cells[cell * Self.valuesPerCell]
            if Double(logit) >= lowest, logit.isFinite { candidates.append(Candidate(logit: logit, cell: cell)) }
        }
        candidates.sort { $0.logit != $1.logit ? $0.logit > $1.logit : $0.cell < $1.cell }

        var kept: [Candidate] = []
        for var candidate in candidates.prefix(Self.candidates) {
            let (centreX, centreY, stride) = centre(of: candidate.cell)
            func value(_ place: Int) -> Double { Double(cells[candidate.cell * Self.valuesPerCell + place]) * stride }
            candidate.x0 = (centreX - value(1)) * view.scaleX
            candidate.y0 = (centreY - value(2)) * view.scaleY
            candidate.x1 = (centreX + value(3)) * view.scaleX
            candidate.y1 = (centreY + value(4)) * view.scaleY
            guard candidate.area.isFinite, candidate.x1 > candidate.x0, candidate.y1 > candidate.y0 else { continue }
            if kept.allSatisfy({ $0.overlap(with: candidate) <= overlap }) { kept.append(candidate) }
        }

        return
            kept
            .map { (candidate: $0, box: box($0, in: view)) }
            .sorted { left, right in
                let (leftArea, rightArea) = (left.box.width * left.box.height, right.box.width * right.box.height)
                if leftArea != rightArea { return leftArea > rightArea }
                let (first, second) = (left.candidate, right.candidate)
                return first.logit != second.logit ? first.logit > second.logit : first.cell < second.cell
            }
            .map {
                Face(box: $0.box, logit: $0.candidate.logit, landmarks: landmarks(of: $0.candidate.cell, cells, view))
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

    private func landmarks(of cell: Int, _ cells: UnsafeBufferPointer<Float>, _ view: View) -> [Face.Point] {
        let (centreX, centreY, stride) = centre(of: cell)
        return (0..<5).map { index in
            let place = cell * Self.valuesPerCell + 5 + 2 * index
            return Face.Point(
                x: (centreX + Double(cells[place]) * stride) * view.scaleX,
                y: (centreY + Double(cells[place + 1]) * stride) * view.scaleY)
        }
    }
}
