import Files
import Glibc
import Hashing
import ImageDecoding
import Testing

@testable import Inference

/// A temporary model folder with a fixture network and a manifest. It is removed when this object is released.
final class ModelFolder {
    let path: String
    static let fixtures = #filePath.dropLast("Support.swift".count) + "Fixtures"

    /// Creates the folder.
    ///
    /// - Parameters:
    ///   - network: The name of a fixture, without `.onnx`.
    ///   - fields: JSON text that replaces a field of the valid manifest; nil removes the field.
    init(_ network: String = "logit", _ fields: [String: String?] = [:]) throws {
        let template = "/tmp/bifrons-model-XXXXXX"
        var name = template.utf8CString
        try #require(name.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } } != nil)
        path = String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        let bytes = try ModelFolder.fixture("\(network).onnx")
        try write("model.onnx", bytes)
        var all: [String: String?] = [
            "schema": "1", "preprocessing": "3", "name": #""tiny""#, "version": #""1.0""#, "file": #""model.onnx""#,
            "sha256": "\"\(SHA256.hexDigest(of: bytes))\"", "input": ModelFolder.input(),
            "output": #"{"kind": "logit"}"#,
        ]
        all.merge(fields) { $1 }
        let json = all.compactMap { name, value in value.map { "\"\(name)\": \($0)" } }.joined(separator: ",\n")
        try write("manifest.json", Array("{\(json)}".utf8))
    }

    static func input(
        width: String = "8", height: String = "8", layout: String = "NCHW", colour: String = "RGB",
        mean: String = "[0, 0, 0]", std: String = "[1, 1, 1]", extra: String = ""
    ) -> String {
        """
        {"width": \(width), "height": \(height), "layout": "\(layout)", "colour": "\(colour)", "mean": \(mean), \
        "std": \(std)\(extra)}
        """
    }

    static func fixture(_ name: String) throws -> [UInt8] {
        try #require(Files.contents(of: "\(fixtures)/\(name)", limit: 1 << 20), "fixture \(name)")
    }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = try #require(fopen("\(path)/\(name)", "w"))
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }

    func manifest() throws -> Manifest { try Manifest.load(folder: path) }

    func model(maximumBatch: Int = 16, cacheFolder: String? = nil) throws -> Model {
        try Model(folder: path, engine: Engine.load(), cacheFolder: cacheFolder, maximumBatch: maximumBatch)
    }

    deinit { ModelFolder.remove(path) }

    static func remove(_ path: String) {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != "." && name != ".." { remove("\(path)/\(name)") }
            }
            closedir(folder)
        }
        Glibc.remove(path)
    }
}

/// Returns an image of one colour.
func solid(_ red: UInt8, _ green: UInt8, _ blue: UInt8, width: Int = 10, height: Int = 8) -> RGBImage {
    RGBImage(width: width, height: height, pixels: (0..<(width * height)).flatMap { _ in [red, green, blue] })
}

/// Returns the fixture networks' score for an image of one colour.
func score(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> Float {
    (Float(red) + 2 * Float(green) + 4 * Float(blue)) / 255 - 3
}

/// Returns the error that `body` throws.
func failure<Value>(_ body: () throws -> Value) throws -> InferenceError {
    try #require(throws: InferenceError.self) { _ = try body() }
}

func isClose(_ left: Float, _ right: Float, within tolerance: Float = 1e-4) -> Bool {
    abs(left - right) <= tolerance
}

extension Model {
    /// Scores the central squares of images.
    func score(_ images: [RGBImage]) throws -> [Result<Float, InferenceError>] {
        try scores(images).map { $0.map(\.logit) }
    }

    /// Scores the central squares of images, with their evidence.
    func scores(_ images: [RGBImage]) throws -> [Result<Score, InferenceError>] {
        let (width, height) = (manifest.input.width, manifest.input.height)
        let crops = images.flatMap { Cropper.centralSquare($0, width: width, height: height) }
        return try crops.withUnsafeBytes { try score(crops: $0) }
    }
}
