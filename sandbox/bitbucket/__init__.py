"""A simulator of Bitbucket Data Center 6.7 to 9.4: users, groups, memberships, global permissions.

    simulator = BitbucketSimulator(Switches(page_cap=100))
    simulator.state.add_user("jane")
    with served(simulator.app) as base_url: ...

Every behaviour that Atlassian documents is kept; whatever the documents leave open is a field of `Switches`.
"""

from sandbox.bitbucket.app import BitbucketSimulator
from sandbox.bitbucket.clock import Clock
from sandbox.bitbucket.faults import Fault, Faults
from sandbox.bitbucket.model import Directory
from sandbox.bitbucket.population import populate
from sandbox.bitbucket.switches import Bucket, Switches

__all__ = ["BitbucketSimulator", "Bucket", "Clock", "Directory", "Fault", "Faults", "Switches", "populate"]
