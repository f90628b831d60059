"""The decisions: pure functions from frames to frames. Nothing here reads or writes anything."""
