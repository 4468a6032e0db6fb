/// What `manifest.json` in a model's folder says of the model: which file, how a picture becomes its input, and what its
/// output means.
///
/// ``load(folder:)`` checks every field; a manifest in hand is valid in itself. Whether it fits the network is checked
/// when the network is loaded (see ``Model``).
package struct Manifest: Sendable {
    /// The version of the file's own shape that this build reads.
    package static let schema = 1
    /// The version of the path from file to input that this build knows (see ``PictureCutter``).
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

    /// The input tensor: one picture, `width` × `height` pixels, each channel `(v / 255 - mean) / std`.
    package struct Input: Sendable {
        /// The tensor's name; nil: the network's only input.
        package let name: String?
        package let width: Int
        package let height: Int
        package let layout: Layout
        package let colour: Colour
        /// Three numbers, in the order of the tensor's channels.
        package let mean: [Double]
        /// Three numbers above zero, in the order of the tensor's channels.
        package let std: [Double]
    }

    /// Which part of the picture the network looks at.
    package enum Crop: Equatable, Sendable {
        /// The largest square in the middle.
        case centralSquare
        /// A square around each face, `margin` times the longer side of its box; without a face the central square.
        case face(margin: Double)
        /// All of it, its longer side made the input's, at the top left of the input. For locators.
        case whole

        /// Whether faces must be found before the network can look.
        package var needsLocator: Bool {
            if case .face = self { true } else { false }
        }
    }

    /// What the network's output means. All but `faces` become the logit of "AI-generated".
    package enum OutputKind: Equatable, Sendable {
        /// One number, the logit.
        case logit
        /// One number in 0…1, the probability (a sigmoid is in the network).
        case probability
        /// Two logits; the difference of that at `aiIndex` and the other.
        case twoClass(aiIndex: Int)
        /// Two probabilities (a softmax is in the network); that at `aiIndex` is of "AI-generated".
        case twoClassProbability(aiIndex: Int)
        /// A locator's cells (see `CellReading`): faces of at least the probability `score`, of which two whose
        /// intersection over union is above `overlap` count as one.
        case faces(score: Double, overlap: Double, turned: Turned?)
    }

    /// How a locator looks at a picture once more, turned by 90°, 180° and 270°.
    package struct Turned: Equatable, Sendable {
        /// It does so when no face that it sees as the picture stands has at least this probability.
        package let below: Double
        /// The lowest probability of a face that counts there.
        package let score: Double
    }

    /// The output tensor.
    package struct Output: Sendable {
        /// The tensor's name; nil: the network's only output.
        package let name: String?
        package let kind: OutputKind
        /// The name of another output, the class-activation map `[batch, height, width]`: the logit of "AI-generated" by
        /// place. Nil: the network has none.
        package let map: String?
    }

    /// The line that turns the network's logit into a calibrated one, `scale * logit + bias` (Platt 1999).
    package struct Calibration: Sendable {
        package let scale: Double
        package let bias: Double
    }

    /// The number format that the engine computes in.
    package enum Precision: String, Sendable, CaseIterable {
        case f32, bf16
        /// A network of its own, whose weights and activations are whole numbers; what the rest computes is f32.
        case int8
    }

    /// A picture in the folder and the calibrated logit that it must get, whatever the machine.
    package struct Canary: Sendable {
        package let file: String
        package let logit: Double
        /// How far off the logit may be.
        package let tolerance: Double
    }

    /// The model's name: 1…64 letters, digits, `-`, `_` and `.`, the first a letter or digit.
    package let name: String
    /// The model's version, 1…64 bytes.
    package let version: String
    /// The network that is served, an ONNX file in the folder that holds all its weights.
    package let file: String
    /// The file's SHA-256, 64 lower-case hexadecimal digits.
    package let sha256: String
    package let input: Input
    package let crop: Crop
    package let output: Output
    package let calibration: Calibration
    /// What is served: what the manifest says, or what was asked for instead.
    package let precision: Precision
    package let canary: Canary?
    /// What the model was trained on, for people.
    package let training: String
    /// Measured quality, by name.
    package let metrics: [String: Double]
    package let licence: String
    /// The folder it was read from.
    package let folder: String

    /// Reads and checks `manifest.json` in `folder`. The error names the file, the field, its value and what it must be.
    ///
    /// - Parameter precision: the number format to serve; nil: the manifest's.
    package static func load(folder: String, precision: Precision? = nil) throws(InferenceError) -> Manifest {
        let path = folder + "/manifest.json"
        guard let json = Files.contents(of: path, limit: 1 << 20) else {
            throw InferenceError(
                .manifestMissing,
                "\(path) cannot be read (\(Files.reason)): name a model's folder, one that holds a manifest.json")
        }
        return try Manifest(json: json, path: path, folder: folder, precision: precision)
    }

    /// Numbers that the network gives for a picture.
    var valuesPerImage: Int {
        switch output.kind {
        case .logit, .probability: 1
        case .twoClass, .twoClassProbability: 2
        case .faces: CellReading.cells(side: input.width) * CellReading.valuesPerCell
        }
    }

    /// `file` and the like as a path that can be opened.
    func path(_ file: String) -> String { folder + "/" + file }
}
