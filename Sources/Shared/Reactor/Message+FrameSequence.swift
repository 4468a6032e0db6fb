public import BifronsWire
public import BifronsZeroMQ

/// Received messages are decoded where they lie.
extension Message: FrameSequence {}
