"""Simulators of Bitbucket Data Center and of identity providers, served over real HTTP on loopback.

They are written from the vendors' documents and import nothing of the packages they test, so that a test never agrees
with itself.
"""
