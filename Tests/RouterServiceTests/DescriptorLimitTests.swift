import Glibc
import Testing

@testable import RouterService

struct DescriptorLimitTests {
    @Test func theLimitIsRaisedAsFarAsTheSystemAllows() throws {
        try DescriptorLimit.raise(toHold: 1, for: "a test")
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #expect(limit.rlim_cur == limit.rlim_max)
    }

    @Test func moreThanTheSystemAllowsIsRefusedWithBothNumbers() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard limit.rlim_max < Int.max else { return }
        let count = Int(limit.rlim_max) + 1
        let error = #expect(throws: RouterServiceError.self) {
            try DescriptorLimit.raise(toHold: count, for: "max-connections")
        }
        let text = "max-connections needs \(count) descriptors and the system allows \(limit.rlim_max);"
        #expect(error?.description.hasPrefix(text) == true)
    }
}
