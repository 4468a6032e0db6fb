public import BifronsWire
public import BifronsZeroMQ

/// Received messages are decoded in place.
extension Message: FrameSequence {}
