"""Programs that try something out and publish nothing."""
