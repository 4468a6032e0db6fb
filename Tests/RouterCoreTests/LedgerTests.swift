import Testing

@testable import RouterCore

struct LedgerTests {
    @Test func aJobsNumberHasRoomForEveryModelOfAnEnsemble() {
        #expect(Ensemble.maxModels.nonzeroBitCount == 1)
        for serial: UInt64 in [1, 2, 1 << 40] {
            for task in 0..<Ensemble.maxModels {
                let job = JobID(serial: serial, task: task)
                #expect(job.serial == serial)
                #expect(job.task == task)
                #expect(job < JobID(serial: serial + 1, task: 0))
            }
        }
    }
}
