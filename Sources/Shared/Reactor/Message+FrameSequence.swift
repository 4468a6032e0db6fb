public import Wire
public import ZeroMQ

/// Received messages are decoded where they lie.
extension Message: FrameSequence {}
