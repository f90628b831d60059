"""Products whose accounts, groups and memberships are kept. None imports another; `connectors.catalog` lists them."""
