"""The HTTP service: an API for programs, a few pages for people, and the receiver of SCIM pushes."""
