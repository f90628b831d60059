"""What identity providers pushed by SCIM, and who may push. `Ledger.scim` is the way in."""
