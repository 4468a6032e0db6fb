import BifronsZeroMQ
import Testing

@testable import RouterService

struct ConnectionGuardTests {
    private let one = ConnectionDescriptor(1)
    private let two = ConnectionDescriptor(2)
    private let three = ConnectionDescriptor(3)

    private func connectionGuard(
        _ connections: [ConnectionDescriptor], limit: Int = 10, messageBytes: Int = 100, totalBytes: Int = 150
    ) -> ConnectionGuard {
        var connectionGuard = ConnectionGuard(
            .init(connections: limit, messageBytes: messageBytes, totalBytes: totalBytes))
        for connection in connections { _ = connectionGuard.accepted(connection) }
        return connectionGuard
    }

    @Test func connectionsBeyondTheLimitAreEndedAndExistingOnesKept() {
        var connections = connectionGuard([one, two], limit: 2)
        let isIn = connections.accepted(three)
        #expect(!isIn && connections.ending == [three])
        connections.ended(three)
        #expect(connections.ending.isEmpty)
        connections.ended(one)
        let hasRoom = connections.accepted(three)
        #expect(hasRoom && connections.ending.isEmpty)
    }

    @Test func aDescriptorThatIsReportedAgainCountsOnce() {
        var connections = connectionGuard([one, two], limit: 2)
        let isIn = connections.accepted(two)
        #expect(isIn && connections.ending.isEmpty)
    }

    @Test func anEndlessMessageEndsItsConnectionAtTheNextLook() {
        var connections = connectionGuard([one, two])
        #expect(connections.look { _ in 101 } == 0)
        #expect(connections.look { $0 == one ? 5000 : 101 } == 2)
        let ending = connections.takeEnding()
        #expect(ending == [one, two])
        // Each connection is returned once, and so ended once.
        #expect(connections.look { _ in 9000 } == 0)
        #expect(connections.ending.isEmpty && connections.isEmpty)
    }

    @Test func aConnectionThatDeliversMessagesMaySendAnyNumberOfBytes() {
        var connections = connectionGuard([one])
        for look in 1...50 {
            connections.delivered(one)
            #expect(connections.look { _ in UInt64(look) * 1000 } == 0)
        }
        // A slow message of the greatest length, after all the others.
        for part in 0...10 { #expect(connections.look { _ in 50_000 + UInt64(part) * 10 } == 0) }
        #expect(connections.look { _ in 50_101 } == 0)
        #expect(connections.look { _ in 50_101 } == 1)
    }

    @Test func bytesSinceTheLastLookDoNotCountAsAnEndlessMessage() {
        var connections = connectionGuard([one])
        #expect(connections.look { _ in 100 } == 0)
        #expect(connections.look { _ in 500 } == 0)
        connections.delivered(one)
        #expect(connections.look { _ in 600 } == 0)
        #expect(connections.look { _ in 700 } == 0)
        #expect(connections.look { _ in 700 } == 0)
    }

    @Test func unfinishedMessagesOfAllConnectionsTogetherAreLimited() {
        var connections = connectionGuard([one, two, three])
        let bytes: [ConnectionDescriptor: UInt64] = [one: 60, two: 80, three: 70]
        #expect(connections.look { bytes[$0] } == 0)
        #expect(connections.look { bytes[$0] } == 1)
        #expect(connections.ending == [two])
    }

    @Test func connectionsWithoutAByteCountAreKept() {
        var connections = connectionGuard([one])
        for _ in 0..<3 { #expect(connections.look { _ in nil } == 0) }
        #expect(connections.ending.isEmpty)
    }

    @Test func aDescriptorWhoseByteCountFallsIsANewConnection() {
        var connections = connectionGuard([one])
        for bytes: UInt64 in [90, 90, 5, 95, 95] { #expect(connections.look { _ in bytes } == 0) }
    }
}
