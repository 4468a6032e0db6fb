// Builds without tests do not have the module Testing.
#if canImport(Testing)
    import Dispatch
    package import Testing

    /// Runs a test, or each test of a suite, on a thread of its own.
    ///
    /// It is for tests that wait for a process, or compute for seconds without a pause. The shared pool has only as
    /// many threads as there are processors, so two such tests there would block all others, and those with a time
    /// limit would fail.
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

    /// An executor with its own serial queue, which has a thread while it has work, however many other queues do.
    package final class SerialQueue: TaskExecutor {
        private let queue = DispatchQueue(label: "bifrons.test")

        package init() {}

        package func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }
#endif
