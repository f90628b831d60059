"""What answers over HTTP. Empty so far: the receiver for pushes and the lookup of runs come here."""
