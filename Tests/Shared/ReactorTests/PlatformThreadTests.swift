import Glibc
import Reactor
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct PlatformThreadTests {
    @Test func joinWaitsForTheEndOfTheBody() throws {
        let count = Mutex(0)
        let thread = try PlatformThread(name: "counter") {
            for _ in 0..<1000 { count.withLock { $0 += 1 } }
        }
        thread.join()
        #expect(count.withLock { $0 } == 1000)
        thread.join()
    }

    @Test func theBodyRunsOnItsOwnNamedThread() throws {
        let seen = Mutex((name: "", thread: pthread_t?.none))
        let thread = try PlatformThread(name: "a-name-that-is-too-long") {
            let name = (try? readName()) ?? ""
            seen.withLock { $0 = (name, pthread_self()) }
        }
        thread.join()
        let (name, identity) = seen.withLock { $0 }
        #expect(name == "a-name-that-is-\n")
        #expect(thread.name == "a-name-that-is-too-long")
        #expect(identity != nil)
        #expect(identity != pthread_self())
    }

    @Test func nonSendableValuesCanBeTransferredToTheThread() throws {
        final class Account { var balance = 0 }
        let total = Mutex(0)
        let account = Account()
        account.balance = 41
        let thread = try PlatformThread(name: "owner") {
            account.balance += 1
            total.withLock { $0 = account.balance }
        }
        thread.join()
        #expect(total.withLock { $0 } == 42)
    }
}

/// The calling thread's name as the system has it, with a line feed.
private func readName() throws -> String {
    let descriptor = open("/proc/thread-self/comm", O_RDONLY)
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
}
