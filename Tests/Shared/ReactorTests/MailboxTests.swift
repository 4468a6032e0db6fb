import BifronsZeroMQ
import Reactor
import Testing

@Suite(.timeLimit(.minutes(2))) struct MailboxTests {
    @Test func itemsArriveInTheOrderOfPosting() throws {
        let mailbox = try Mailbox<Int>()
        for number in 0..<1000 { mailbox.post(number) }
        #expect(mailbox.drain() == Array(0..<1000))
        #expect(mailbox.drain() == [])
    }

    @Test func theDescriptorIsReadableWhileTheMailboxIsNotEmpty() throws {
        let mailbox = try Mailbox<String>()
        var set = PollSet()
        let index = set.add(descriptor: mailbox.descriptor)
        func isReadable(_ set: inout PollSet) throws -> Bool {
            _ = try set.wait(milliseconds: 0)
            return set.isReadable(index)
        }
        #expect(try !isReadable(&set))
        mailbox.post("a")
        #expect(try isReadable(&set))
        mailbox.post("b")
        #expect(try isReadable(&set))
        #expect(mailbox.drain() == ["a", "b"])
        #expect(try !isReadable(&set))
        mailbox.post("c")
        #expect(try isReadable(&set))
    }

    @Test func itemsOfManyThreadsArriveCompletelyAndInOrder() throws {
        struct NumberedMessage {
            let sender, number: Int
        }
        let (senders, letters) = (3, 20_000)
        let mailbox = try Mailbox<NumberedMessage>()
        let threads = try (0..<senders).map { sender in
            try PlatformThread(name: "sender-\(sender)") {
                for number in 0..<letters { mailbox.post(NumberedMessage(sender: sender, number: number)) }
            }
        }
        var next = [Int](repeating: 0, count: senders)
        var set = PollSet()
        _ = set.add(descriptor: mailbox.descriptor)
        while next.contains(where: { $0 < letters }) {
            let ready = try set.wait(milliseconds: 20_000)
            try #require(ready == 1, "a wake-up was lost")
            for letter in mailbox.drain() {
                try #require(letter.number == next[letter.sender])
                next[letter.sender] += 1
            }
        }
        for thread in threads { thread.join() }
        #expect(mailbox.drain().isEmpty)
    }
}
