import Glibc
import Testing

@testable import Sandbox

struct ConfinementTests {
    @Test func wholeSandboxHasNoGaps() {
        let whole = Confinement(version: 7, landlock: 0, filter: 0, needsPorts: true)
        #expect(whole.landlock == 7 && whole.hasFilter && whole.gaps.isEmpty)
    }

    @Test func whatTheKernelLacksIsNamed() {
        let nothing = Confinement(version: -Int(ENOSYS), landlock: ENOSYS, filter: EINVAL, needsPorts: true)
        #expect(nothing.landlock == nil && !nothing.hasFilter)
        #expect(
            nothing.gaps == [
                "this kernel has no Landlock (Linux 5.13 or newer, built with it)",
                "this kernel has no filter of system calls (seccomp, Linux 4.17 or newer)",
            ])
        let disabled = Confinement(version: -Int(EOPNOTSUPP), landlock: EOPNOTSUPP, filter: 0, needsPorts: false)
        #expect(disabled.gaps == ["this kernel's Landlock was not enabled at boot (lsm= on its command line)"])
        let forbidden = Confinement(version: -Int(EPERM), landlock: EPERM, filter: EACCES, needsPorts: false)
        #expect(
            forbidden.gaps == [
                "Landlock cannot be used (Operation not permitted)",
                "no filter of system calls can be set (Permission denied)",
            ])
    }

    @Test func landlockThatCannotRestrictPortsIsAGapIfThereArePorts() {
        let old = Confinement(version: 2, landlock: 0, filter: 0, needsPorts: true)
        #expect(old.landlock == 2)
        #expect(
            old.gaps == ["this kernel's Landlock is version 2 and cannot restrict TCP ports (Linux 6.7 or newer can)"])
        #expect(Confinement(version: 2, landlock: 0, filter: 0, needsPorts: false).gaps.isEmpty)
    }

    @Test func threadThatCannotBeReachedIsAGap() {
        let partial = Confinement(version: 7, landlock: ETIMEDOUT, filter: 0, needsPorts: false)
        #expect(partial.landlock == nil)
        #expect(partial.gaps == ["a thread of a library blocks the signal by which Landlock reaches it"])
    }
}
