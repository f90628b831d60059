"""The HTTP service: an API for programs and a few pages for people. See docs/http-api.md."""
