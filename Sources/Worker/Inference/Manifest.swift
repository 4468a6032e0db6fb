import Files

/// The contents of `manifest.json` in a model folder: the network's file, how an image becomes its input, and the
/// meaning of its output.
///
/// ``load(folder:precision:)`` checks every field, so a manifest is always valid in itself. Whether it fits the network
/// is checked when the network is loaded (see ``Model``).
package struct Manifest: Sendable {
    /// The version of the manifest format that this build reads.
    package static let schema = 1
    /// The version of the preprocessing from file to input that this build supports (see ``ImageCutter``).
    package static let preprocessing = 3

    /// The order of the input tensor's axes.
    package enum Layout: String, Sendable, CaseIterable {
        case nchw = "NCHW"
        case nhwc = "NHWC"
    }

    /// The order of the input tensor's three channels.
    package enum Colour: String, Sendable, CaseIterable {
        case rgb = "RGB"
        case bgr = "BGR"
    }

    /// The input tensor: one image of `width` × `height` pixels, each channel `(v / 255 - mean) / std`.
    package struct Input: Sendable {
        /// The tensor's name; nil: the network's only input.
        package let name: String?
        package let width: Int
        package let height: Int
        package let layout: Layout
        package let colour: Colour
        /// Three numbers, in the order of the tensor's channels.
        package let mean: [Double]
        /// Three positive numbers, in the order of the tensor's channels.
        package let std: [Double]
    }

    /// The part of the image that the network sees.
    package enum Crop: Equatable, Sendable {
        /// The largest square at the centre.
        case centralSquare
        /// A square around each face, `margin` times the longer side of its box. Without a face, the central square.
        case face(margin: Double)
        /// The whole image, at the top left of the input, its longer side resized to the input's. For locators.
        case whole
    }

    /// The meaning of the network's output. All kinds except `faces` are converted to the logit of "AI-generated".
    package enum OutputKind: Equatable, Sendable {
        /// One number, the logit.
        case logit
        /// One number from 0 to 1, the probability; the network contains the sigmoid.
        case probability
        /// Two logits; the logit is the one at `aiIndex` minus the other.
        case twoClass(aiIndex: Int)
        /// Two probabilities; the network contains the softmax. The one at `aiIndex` is of "AI-generated".
        case twoClassProbability(aiIndex: Int)
        /// A locator's cells (see `CellReading`). Faces need at least the probability `score`. Two boxes whose
        /// intersection over union exceeds `overlap` count as one face.
        case faces(score: Double, overlap: Double, turned: Turned?)
    }

    /// When a locator also looks at an image turned by 90°, 180° and 270°, and which faces count there.
    package struct Turned: Equatable, Sendable {
        /// It does so if no face in the unturned image has at least this probability; between 0 and 1.
        package let below: Double
        /// The lowest probability of a face if a turned image shows one; between 0 and 1.
        package let score: Double
    }

    /// The output tensor.
    package struct Output: Sendable {
        /// The tensor's name; nil: the network's only output.
        package let name: String?
        package let kind: OutputKind
        /// The name of another output, the class-activation map `[batch, height, width]` with the logit of
        /// "AI-generated" by place; nil: the network has none.
        package let map: String?
    }

    /// The calibration of the network's logit, `scale * logit + bias` (Platt 1999).
    package struct Calibration: Sendable {
        package let scale: Double
        package let bias: Double
    }

    /// The number format in which the engine computes.
    package enum Precision: String, Sendable, CaseIterable {
        case f32, bf16
        /// A separate network with integer weights and activations; everything else is computed in f32.
        case int8
    }

    /// An image in the folder and the calibrated logit that it must get on every machine.
    package struct Canary: Sendable {
        package let file: String
        package let logit: Double
        /// The largest allowed difference from the logit.
        package let tolerance: Double
    }

    /// The model's name: 1 to 64 letters, digits, `-`, `_` and `.`, starting with a letter or digit.
    package let name: String
    /// The model's version: 1 to 64 bytes.
    package let version: String
    /// The network to serve: an ONNX file in the folder that contains all its weights.
    package let file: String
    /// The file's SHA-256: 64 lower-case hexadecimal digits.
    package let sha256: String
    package let input: Input
    package let crop: Crop
    package let output: Output
    package let calibration: Calibration
    /// The number format to serve: the manifest's, unless another was asked for.
    package let precision: Precision
    package let canary: Canary?
    /// What the model was trained on, for people.
    package let training: String
    /// The measured quality, by the metric's name.
    package let metrics: [String: Double]
    package let licence: String
    /// The folder that the manifest was read from.
    package let folder: String

    /// Reads and checks `manifest.json` in `folder`.
    ///
    /// - Parameters:
    ///   - folder: The model folder.
    ///   - precision: The number format to serve; nil: the manifest's.
    /// - Throws: ``InferenceError`` that names the file, the field, its value and what it must be.
    package static func load(folder: String, precision: Precision? = nil) throws(InferenceError) -> Manifest {
        let path = folder + "/manifest.json"
        guard let json = Files.contents(of: path, limit: 1 << 20) else {
            throw InferenceError(
                .manifestMissing,
                "\(path) cannot be read (\(Files.reason)): name a model's folder, one that holds a manifest.json")
        }
        return try Manifest(json: json, path: path, folder: folder, precision: precision)
    }

    /// The number of values that the network outputs per image.
    var valuesPerImage: Int {
        switch output.kind {
        case .logit, .probability: 1
        case .twoClass, .twoClassProbability: 2
        case .faces: CellReading.cells(side: input.width) * CellReading.valuesPerCell
        }
    }

    /// Returns the path of a file in the folder.
    func path(_ file: String) -> String { folder + "/" + file }
}
