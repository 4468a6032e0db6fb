// Builds without tests do not have the module.
#if canImport(Testing)
    import Dispatch
    package import Testing

    /// Runs a test, or each test of a suite, on a thread of its own.
    ///
    /// For tests that wait for a process or compute for seconds without a pause: on the tasks' threads, of which there are as
    /// many as processors, two of them would hold up every other test, and those with a clock would fail.
    package struct OwnThreadTrait: TestTrait, SuiteTrait, TestScoping {
        package let isRecursive = true

        package func provideScope(
            for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
        ) async throws {
            try await withTaskExecutorPreference(SerialQueue()) { try await function() }
        }
    }

    extension Trait where Self == OwnThreadTrait {
        package static var ownThread: Self { OwnThreadTrait() }
    }

    /// A serial queue has a thread while it has work, however many others have one.
    private final class SerialQueue: TaskExecutor {
        private let queue = DispatchQueue(label: "bifrons.test")

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }
#endif
