"""Pushes wake runs: who was touched is brought up to date when the identity provider has gone quiet."""
