"""Hooks at login: an identity provider says that somebody logs in, and they are brought up to date there and then."""
