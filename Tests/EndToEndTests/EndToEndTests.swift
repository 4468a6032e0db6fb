import TestKit
import Testing

/// The real programs over real sockets. One test after the other, each on a thread on which it waits for processes.
@Suite(.serialized, .ownThread, .timeLimit(.minutes(5))) struct EndToEndTests {}
