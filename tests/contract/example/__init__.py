"""The worked example of CONTRIBUTING.md: a source for an invented staff service, and a simulator of that service.

Copy it to begin a source of your own; it passes the whole contract as it stands.
"""
