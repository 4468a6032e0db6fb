import TestKit
import Testing

/// Tests the real programs over real sockets. The tests run one after another, each on its own thread because it waits
/// for processes.
@Suite(.serialized, .ownThread, .timeLimit(.minutes(5))) struct EndToEndTests {}
