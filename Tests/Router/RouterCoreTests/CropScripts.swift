import BifronsWire
import TestKit

@testable import RouterCore

/// Common parts of the tests of crops: some specifications, and scripts whose locator "l1" acts only on the test's
/// command.
protocol CropScripts {}

extension CropScripts {
    /// Crops of 12 bytes per face, and so at most 192 bytes.
    var narrow: CropSpecification { .sample }
    /// Crops of 12 bytes per face, with a wider margin.
    var wide: CropSpecification { CropSpecification(kind: .face(margin: 2), width: 2, height: 2, preprocessing: 3) }
    var wider: CropSpecification { CropSpecification(kind: .face(margin: 3), width: 2, height: 2, preprocessing: 3) }
    var newer: CropSpecification { CropSpecification(kind: .face(margin: 1.6), width: 2, height: 2, preprocessing: 4) }
    var face: WorkerMessage.Face { WorkerMessage.Face(box: Box(x: 10, y: 20, width: 100, height: 110)) }

    func script(
        _ networks: [(String, CropSpecification)] = [], credit: UInt32 = 4,
        _ configure: (inout RouterCore.Configuration) -> Void = { _ in }
    ) -> Script {
        var script = Script(locators: .byHand, configure)
        script.join("l1", credit: credit)
        for (name, specification) in networks { script.join(name, credit: credit, scoring: specification) }
        return script
    }

    @discardableResult
    func classifyResnet(_ script: inout Script, _ token: Int) -> [String] {
        script.classify(token) { ($0.models, $0.budgetMilliseconds) = (["resnet"], 60_000) }
    }
}
