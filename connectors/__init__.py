"""Everything that talks to a system: the contract, one HTTP client, the sources, the targets, and their catalogue."""
