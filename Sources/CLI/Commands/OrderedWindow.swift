/// Does work for each input, at most `window` at a time, and returns the results in the order of the inputs.
///
/// - Parameters:
///   - inputs: The inputs.
///   - window: The most inputs in work at once; at least 1.
///   - work: Does the work for one input.
///   - finished: Called with the number of finished inputs, after each one.
///   - emit: Called with the next result, as soon as it and all before it are finished.
func inOrder<Input: Sendable, Output: Sendable>(
    _ inputs: [Input], window: Int, _ work: @escaping @Sendable (Input) async -> Output,
    finished: (Int) -> Void = { _ in }, emit: (Output) -> Void
) async {
    await withTaskGroup(of: (Int, Output).self) { group in
        var started = 0
        var done = 0
        var emitted = 0
        var early: [Int: Output] = [:]
        func startNext() {
            guard started < inputs.count else { return }
            let index = started
            started += 1
            group.addTask { (index, await work(inputs[index])) }
        }
        for _ in 0..<max(1, window) { startNext() }
        while let (index, output) = await group.next() {
            startNext()
            done += 1
            early[index] = output
            while let next = early.removeValue(forKey: emitted) {
                emitted += 1
                emit(next)
            }
            finished(done)
        }
    }
}
