import BifronsWire
import TestKit
import Testing

struct CropSpecificationTests {
    @Test func aFaceSpecificationTakesUpToSixteenCrops() {
        let crop = CropSpecification(kind: .face(margin: 1.6), width: 160, height: 150, preprocessing: 3)
        #expect(crop.needsFaces && crop.cropBytes == 72_000 && crop.mostBytes == 16 * 72_000)
    }

    @Test func aCentralSquareSpecificationTakesOneCrop() {
        let crop = CropSpecification(kind: .centralSquare, width: 160, height: 150, preprocessing: 3)
        #expect(!crop.needsFaces && crop.mostBytes == crop.cropBytes)
    }

    @Test func theByteCountOfTheLargestSpecificationDoesNotOverflow() {
        let crop = CropSpecification(kind: .face(margin: 1.6), width: .max, height: .max, preprocessing: 3)
        #expect(crop.mostBytes == 16 * 3 * 65_535 * 65_535)
    }

    /// Networks that differ in any one of these fields get different crops.
    @Test func specificationsDifferIfAnyFieldDiffers() {
        let crop = CropSpecification.sample
        let others = [
            CropSpecification(kind: .centralSquare, width: 2, height: 2, preprocessing: 3),
            CropSpecification(kind: .face(margin: 1.7), width: 2, height: 2, preprocessing: 3),
            CropSpecification(kind: .face(margin: 1.6), width: 3, height: 2, preprocessing: 3),
            CropSpecification(kind: .face(margin: 1.6), width: 2, height: 3, preprocessing: 3),
            CropSpecification(kind: .face(margin: 1.6), width: 2, height: 2, preprocessing: 2),
        ]
        #expect(Set(others + [crop]).count == 6)
        #expect(crop == CropSpecification(kind: .face(margin: 1.6), width: 2, height: 2, preprocessing: 3))
    }

    /// A scripted worker's crops are as a real locator would send them.
    @Test func theScriptedLocatorSendsAFrameForEachSpecification() throws {
        let faces = [WorkerMessage.Face(box: .wholeSample), .init(box: .wholeSample, turned: 90)]
        let (message, frames) = ScriptedWorker.locator().crops(7, of: [.sample, .centralSample], faces: faces)
        #expect(frames.map(\.count) == [2 * 12, 18])
        guard case .crops(let crops) = try decodeWorkerMessage(message.encoded()) else {
            Issue.record("\(message) is no CROPS")
            return
        }
        #expect(crops.sets.map(\.squares.count) == [2, 1] && crops.faces == faces && crops.facesFound == 2)
    }
}
