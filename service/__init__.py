"""What answers over HTTP. `service.scim` is the receiver for pushes."""
