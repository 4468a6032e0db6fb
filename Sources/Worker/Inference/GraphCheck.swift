internal import COpenVINO

/// Checks that a compiled network has the input and output that its manifest declares. Errors name the manifest's
/// field.
struct GraphCheck {
    let manifest: Manifest
    let functions: ov_functions_t
    let compiled: OpaquePointer

    /// An input or an output of the network.
    struct Port: ~Copyable {
        let handle: Handle
        /// The number of images per pass; `Int.max` if it is dynamic.
        let batch: Int
    }

    /// The class-activation map, a separate output.
    final class Map {
        let handle: Handle
        /// The number of cells across.
        /// The number of cells down.
        let width: Int
        let height: Int

        init(handle: consuming Handle, width: Int, height: Int) {
            self.handle = handle
            self.width = width
            self.height = height
        }
    }

    /// Returns the input after checking its type and shape.
    ///
    /// - Throws: ``InferenceError`` if it does not match the manifest.
    func input() throws(InferenceError) -> Port {
        var count = 0
        guard functions.compiled_model_inputs_size(compiled, &count) == 0 else {
            throw engineFailure("shows no inputs")
        }
        guard count == 1 else {
            throw failure("the network has \(count) inputs: export it with one, the image")
        }
        let expected = manifest.input
        let port = try self.port(
            "input", named: expected.name, count: count, byName: functions.compiled_model_input_by_name,
            byIndex: functions.compiled_model_input_by_index)
        try checkType(of: port, "input")
        let shape = try shape(of: port)
        guard shape.count == 4 else {
            throw failure(
                "the network's input has the shape \(text(shape)): it must have four axes, \(expected.layout.rawValue)")
        }
        let (channel, row, column) = expected.layout == .nchw ? (1, 2, 3) : (3, 1, 2)
        guard accepts(shape[channel], 3) else {
            let other = expected.layout == .nchw ? 3 : 1
            if accepts(shape[other], 3) {
                throw mismatch("input.layout", expected.layout.rawValue, "the network's input is \(text(shape))")
            }
            throw failure("the network's input has the shape \(text(shape)): it must take three channels")
        }
        guard accepts(shape[column], expected.width) else {
            throw mismatch("input.width", "\(expected.width)", "the network's input is \(text(shape))")
        }
        guard accepts(shape[row], expected.height) else {
            throw mismatch("input.height", "\(expected.height)", "the network's input is \(text(shape))")
        }
        return Port(handle: port, batch: try batch(shape))
    }

    /// Returns the output after checking its type and shape.
    ///
    /// - Throws: ``InferenceError`` if it does not match the manifest.
    func output() throws(InferenceError) -> Port {
        let count = try outputs()
        let expected = manifest.output
        guard expected.name != nil || count == 1 else {
            throw failure("the network has \(count) outputs: say which one in output.name")
        }
        let port = try self.port(
            "output", named: expected.name, count: count, byName: functions.compiled_model_output_by_name,
            byIndex: functions.compiled_model_output_by_index)
        try checkType(of: port, "output")
        let shape = try shape(of: port)
        let values = manifest.valuesPerImage
        // An axis of unknown length may still be right: each pass checks the number of values.
        guard !shape.isEmpty,
            shape.dropFirst().contains(where: { $0.min != $0.max })
                || shape.dropFirst().reduce(1, { $0 * Int($1.min) }) == values
        else {
            throw mismatch(
                "output.kind", expected.kind.text,
                "that is \(values) number\(values == 1 ? "" : "s") an image, while the network's output is \(text(shape))"
            )
        }
        return Port(handle: port, batch: try batch(shape))
    }

    /// Returns the map after checking its type and shape; nil if the manifest names none.
    func map() throws(InferenceError) -> Map? {
        guard let name = manifest.output.map else { return nil }
        let port = try self.port(
            "output", "map", named: name, count: outputs(), byName: functions.compiled_model_output_by_name,
            byIndex: functions.compiled_model_output_by_index)
        try checkType(of: port, "output")
        let shape = try shape(of: port)
        let sides = 1...Int64(Evidence.largestSide)
        guard shape.count == 3, shape[1...].allSatisfy({ $0.min == $0.max && sides.contains($0.min) }) else {
            throw mismatch(
                "output.map", "\"\(name)\"",
                "that output is \(text(shape)) instead of [batch,height,width] with 1 to \(Evidence.largestSide) cells a side"
            )
        }
        return Map(handle: port, width: Int(shape[2].min), height: Int(shape[1].min))
    }

    private func outputs() throws(InferenceError) -> Int {
        var count = 0
        guard functions.compiled_model_outputs_size(compiled, &count) == 0 else {
            throw engineFailure("shows no outputs")
        }
        return count
    }

    func engineFailure(_ text: String) -> InferenceError {
        failure("the compiled network \(text) (\(functions.lastError)): export it again", .engineFailed)
    }

    private func failure(_ text: String, _ code: InferenceError.Code = .graphMismatch) -> InferenceError {
        InferenceError(code, "\(manifest.path(manifest.file)): \(text)")
    }

    private func mismatch(_ field: String, _ value: String, _ fact: String) -> InferenceError {
        InferenceError(
            .graphMismatch,
            "\(manifest.path("manifest.json")): \(field) is \(value), and \(fact): correct the field or export the network anew"
        )
    }

    private typealias ByName = (OpaquePointer?, UnsafePointer<CChar>?, UnsafeMutablePointer<OpaquePointer?>?) -> Int32
    private typealias ByIndex = (OpaquePointer?, Int, UnsafeMutablePointer<OpaquePointer?>?) -> Int32

    private func port(
        _ field: String, _ entry: String = "name", named name: String?, count: Int, byName: ByName, byIndex: ByIndex
    ) throws(InferenceError) -> Handle {
        var port: OpaquePointer?
        if let name {
            if byName(compiled, name, &port) == 0, let port { return Handle(port, functions.output_const_port_free) }
            var names: [String] = []
            for index in 0..<count where byIndex(compiled, index, &port) == 0 {
                guard let found = port else { continue }
                names.append(self.name(of: Handle(found, functions.output_const_port_free)))
            }
            throw mismatch(
                "\(field).\(entry)", "\"\(name)\"", "the network's \(field) is \(names.joined(separator: ", "))")
        }
        guard byIndex(compiled, 0, &port) == 0, let port else { throw engineFailure("shows no \(field)") }
        return Handle(port, functions.output_const_port_free)
    }

    private func name(of port: borrowing Handle) -> String {
        var name: UnsafeMutablePointer<CChar>?
        guard functions.port_get_any_name(port.pointer, &name) == 0, let name else { return "without a name" }
        defer { functions.free(name) }
        return "\"\(String(cString: name))\""
    }

    private func checkType(of port: borrowing Handle, _ field: String) throws(InferenceError) {
        var type: Int32 = 0
        guard functions.port_get_element_type(port.pointer, &type) == 0 else {
            throw engineFailure("hides its \(field)")
        }
        guard type == Int32(ov_f32) else {
            throw failure("the network's \(field) is not of 32-bit floats: export it with a float32 \(field)")
        }
    }

    /// Returns the port's axes; an empty array if even their number is unknown.
    private func shape(of port: borrowing Handle) throws(InferenceError) -> [ov_dimension_t] {
        var shape = ov_partial_shape_t()
        guard functions.port_get_partial_shape(port.pointer, &shape) == 0 else { throw engineFailure("has no shape") }
        defer { functions.partial_shape_free(&shape) }
        guard shape.rank.min == shape.rank.max, let dimensions = shape.dims else { return [] }
        return Array(UnsafeBufferPointer(start: dimensions, count: Int(shape.rank.max)))
    }

    private func batch(_ shape: [ov_dimension_t]) throws(InferenceError) -> Int {
        let batch = shape[0]
        guard accepts(batch, 1) else {
            throw failure(
                "the network takes \(text(shape)), never one image: export it with a batch of 1 or a dynamic one")
        }
        return batch.max < 0 ? Int.max : Int(batch.max)
    }

    private func accepts(_ dimension: ov_dimension_t, _ value: Int) -> Bool {
        dimension.min <= value && (dimension.max < 0 || value <= dimension.max)
    }

    /// Returns a shape as text, such as `[?,3,128,128]`.
    private func text(_ shape: [ov_dimension_t]) -> String {
        "[\(shape.map { $0.min == $0.max ? "\($0.min)" : "?" }.joined(separator: ","))]"
    }
}

extension Manifest.OutputKind {
    /// The kind as it is written in the manifest.
    var text: String {
        switch self {
        case .logit: "logit"
        case .probability: "probability"
        case .twoClass: "two_class"
        case .twoClassProbability: "two_class_probability"
        case .faces: "faces"
        }
    }
}
