import Testing

/// The real programs over real sockets. One test after the other: each waits for processes on the thread that it has.
@Suite(.serialized, .timeLimit(.minutes(5))) struct EndToEndTests {}
