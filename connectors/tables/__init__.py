"""Rows whose columns somebody declared, in a query or a field map: from any values to the frames of a snapshot."""
