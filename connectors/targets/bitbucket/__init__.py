"""Bitbucket Data Center, 6.7 to 9.4, over its REST interface."""

from connectors.targets.bitbucket.settings import BitbucketSettings, Rate
from connectors.targets.bitbucket.target import BitbucketTarget

__all__ = ["BitbucketSettings", "BitbucketTarget", "Rate"]
