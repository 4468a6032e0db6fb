internal import BifronsWire
internal import HTTPTypes

/// A decision that waits for a reviewer, as a task of Label Studio. Its labelling configuration needs an `Image` named
/// `image`, `Choices` named `label` and `RectangleLabels` named `face`.
struct LabelStudioTask: Encodable {
    /// The answer of the router to `reviews`.
    struct Page: Decodable {
        var reviews: [Review]
        var next: Int64?
    }

    struct Review: Decodable {
        struct Decision: Decodable {
            var id: String
            /// What the networks say; nil for a blind review.
            var body: DecisionRecord.Body?
            var personal: Personal?
        }

        struct Personal: Decodable {
            var boxes: [[Double]?]
        }

        var decision: Decision
    }

    struct Content: Encodable {
        /// The URL of the image at the gateway, which needs a token where there are tokens.
        var image: String
        var decision: String
    }

    struct Prediction: Encodable {
        var modelVersion: String
        var score: Double
        var result: [Region]

        private enum CodingKeys: String, CodingKey {
            case score, result
            case modelVersion = "model_version"
        }
    }

    /// A choice, or a rectangle in percent of the image's size.
    struct Region: Encodable {
        struct Value: Encodable {
            var choices: [String]?
            var rectanglelabels: [String]?
            var x: Double?
            var y: Double?
            var width: Double?
            var height: Double?
            var rotation: Double?
        }

        var fromName: String
        var toName = "image"
        var type: String
        var value: Value
        var originalWidth: Int?
        var originalHeight: Int?

        private enum CodingKeys: String, CodingKey {
            case type, value
            case fromName = "from_name"
            case toName = "to_name"
            case originalWidth = "original_width"
            case originalHeight = "original_height"
        }
    }

    var data: Content
    var predictions: [Prediction]

    /// - Parameter base: the gateway's URL as Label Studio's users reach it.
    init(_ review: Review, base: String) {
        let id = review.decision.id
        data = Content(image: "\(base)/v1/reviews/\(id)/image", decision: id)
        predictions = []
        guard let body = review.decision.body, let probability = body.exactProbability else { return }
        let choice = Region(
            fromName: "label", type: "choices", value: .init(choices: [body.label == "real" ? "real" : "ai_generated"]))
        let boxes = (review.decision.personal?.boxes ?? []).compactMap(\.self)
        predictions = [
            Prediction(
                modelVersion: "bifrons \(body.release)", score: probability,
                result: [choice] + boxes.compactMap { Self.rectangle($0, of: body) })
        ]
    }

    private static func rectangle(_ box: [Double], of body: DecisionRecord.Body) -> Region? {
        guard let width = body.width, let height = body.height, width > 0, height > 0, box.count == 4 else {
            return nil
        }
        let (horizontal, vertical) = (100 / Double(width), 100 / Double(height))
        return Region(
            fromName: "face", type: "rectanglelabels",
            value: .init(
                rectanglelabels: ["face"], x: box[0] * horizontal, y: box[1] * vertical, width: box[2] * horizontal,
                height: box[3] * vertical, rotation: 0), originalWidth: width, originalHeight: height)
    }
}

/// A webhook of Label Studio.
struct LabelStudioHook: Decodable {
    struct Task: Decodable {
        struct Content: Decodable { var decision: String? }
        var data: Content
    }

    struct Annotation: Decodable {
        struct Result: Decodable {
            struct Value: Decodable { var choices: [String]? }
            var fromName: String?
            var value: Value
        }

        var result: [Result]
        var leadTime: Double?
        var completedBy: Int?
    }

    var action: String
    var task: Task?
    var annotation: Annotation?

    /// The body of the verb `review`.
    struct Review: Encodable, Equatable {
        var outcome: String
        var seconds: Double?
        var reviewer: String
    }

    /// Whether an annotation was changed.
    var isUpdate: Bool { action == "ANNOTATION_UPDATED" }

    /// The answer that the annotation gives, and the id of its decision; nil if the webhook is about something else.
    ///
    /// - Throws: ``Problem`` if it is an annotation without a decision or a choice.
    var answer: (decision: String, review: Review)? {
        get throws(Problem) {
            guard ["ANNOTATION_CREATED", "ANNOTATION_UPDATED"].contains(action) else { return nil }
            let choice = annotation?.result.first { $0.fromName == "label" }?.value.choices?.first
            guard let decision = task?.data.decision, let choice else {
                throw Problem(
                    .unprocessableContent, code: "body_invalid",
                    "the annotation needs task.data.decision, and a choice named 'label'")
            }
            let seconds = annotation?.leadTime.map { min(max($0, 0), 86_400) }
            let reviewer = "label-studio" + (annotation?.completedBy.map { ":\($0)" } ?? "")
            return (decision, Review(outcome: choice, seconds: seconds, reviewer: reviewer))
        }
    }
}
