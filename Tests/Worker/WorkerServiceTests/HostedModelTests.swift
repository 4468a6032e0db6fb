import BifronsWire
import Glibc
import Inference
import Logging
import Settings
import TestImages
import Testing

@testable import WorkerService

/// Tests that the models of this repository load in the engine.
@Suite(.serialized) struct HostedModelTests {
    private static let models =
        #filePath.dropLast("Tests/Worker/WorkerServiceTests/HostedModelTests.swift".count) + "Models"

    private func load(_ model: String) throws -> HostedModel {
        var settings = try WorkerSettings(environment: ["BIFRONS_MODEL": Self.models + "/" + model])
        settings.decodeThreads = 2
        return try HostedModel.load(settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test func theNetworksScoreTheCropsOfTheLocator() throws {
        guard case .locator(let cutter) = try load("locator") else {
            Issue.record("the locator is no locator")
            return
        }
        #expect(cutter.identity.name == "locator" && cutter.preprocessing == UInt16(Manifest.preprocessing))
        let scorers = try ["resnet", "inception"].map { name in
            guard case .network(let scorer) = try load(name) else { throw Broken() }
            #expect(scorer.identity.name == name)
            return scorer
        }
        let file = TestImages.jpeg(width: 300, height: 400)
        let cut = try file.withUnsafeBytes { try cutter.cut($0, as: scorers.map(\.specification)) }
        #expect(cut.format == .jpeg && cut.width == 300 && cut.height == 400)
        #expect(cut.facesFound == 0 && cut.faces == [])
        for (scorer, set) in zip(scorers, cut.sets) {
            #expect(set.squares == [Box(x: 0, y: 50, width: 300, height: 300)])
            #expect(set.pixels.count == scorer.specification.cropBytes)
            var steps = 0
            let scores = try set.pixels.withUnsafeBytes { try scorer.score($0) { steps += 1 } }
            #expect(try scores.map { try $0.get().logit.isFinite } == [true] && steps == 1)
        }
    }

    @Test func aFolderWithoutAModelIsRefused() {
        #expect(throws: InferenceError.self) { try load("nothing") }
    }

    @Test func aNetworkWhoseCropsExceedTheProtocolsLimitsIsRefused() throws {
        func problem(_ specification: CropGeometry) -> String? {
            do {
                _ = try CropSpecification(specification, folder: "m")
                return nil
            } catch { return error.description }
        }
        #expect(problem(.init(kind: .face(margin: 1.6), width: 1182, height: 1182)) == nil)
        #expect(
            problem(.init(kind: .face(margin: 1.6), width: 1183, height: 1183))
                == "m/manifest.json: input is 1183 x 1183 pixels, so that the crops of one image may take 67175472 bytes, more than the 67108864 that a job may: use a model of a smaller input"
        )
        #expect(problem(.init(kind: .centralSquare, width: 65_536, height: 1))?.contains("65535 a side") == true)
        #expect(problem(.init(kind: .face(margin: 4.5), width: 9, height: 9))?.contains("crop.margin is 4.5") == true)
    }
}
