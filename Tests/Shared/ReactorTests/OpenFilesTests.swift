import Glibc
import Reactor
import Testing

struct OpenFilesTests {
    @Test func theLimitIsRaisedAsFarAsTheSystemAllows() {
        let raised = OpenFiles.raiseLimit()
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #expect(limit.rlim_cur == limit.rlim_max)
        #expect(raised == Int(clamping: limit.rlim_cur))
    }
}
