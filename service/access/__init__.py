"""Who may come in: addresses, tokens, sessions, limits, and what every answer carries."""
