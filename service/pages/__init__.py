"""Pages for people who would rather look: made on the server, one style sheet, no script."""
