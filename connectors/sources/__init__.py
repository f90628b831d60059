"""Directories to read people, groups and memberships from. None imports another; `connectors.catalog` lists them."""
