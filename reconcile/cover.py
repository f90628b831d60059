"""The fewest calls that add a set of memberships.

One call takes one group and many accounts, or one account and many groups. Every membership is an edge between an
account and a group, each call covers the edges of one vertex, so the fewest calls are a minimum vertex cover of a
bipartite graph. By König's theorem its size equals that of a maximum matching, which makes the minimum provable.
"""

from __future__ import annotations

import polars as pl

__all__ = ["minimum_cover"]


def minimum_cover(edges: pl.DataFrame) -> pl.Series:
    """For each edge (`account`, `group`; any type, pairs unique) whether its group's call carries it, as Booleans.

    Where both ends are in the cover the group carries it, so that calls about accounts stay few and small.
    """
    # Imported here: it costs a second, and a run with nothing to add must not pay for it.
    import numpy as np  # noqa: PLC0415
    from scipy.sparse import csr_array  # noqa: PLC0415
    from scipy.sparse.csgraph import breadth_first_order, maximum_bipartite_matching  # noqa: PLC0415

    if edges.height == 0:
        return pl.Series("by_group", [], dtype=pl.Boolean)
    rows = edges["account"].rank("dense").to_numpy().astype(np.int32) - 1
    columns = edges["group"].rank("dense").to_numpy().astype(np.int32) - 1
    accounts, groups = int(rows.max()) + 1, int(columns.max()) + 1
    graph = csr_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(accounts, groups))
    partner = maximum_bipartite_matching(graph, perm_type="column")
    matched_account = np.flatnonzero(partner >= 0)
    matched_group = partner[matched_account]

    # Everything that alternating paths reach from the accounts without a partner: an edge leads from account to group,
    # a matching edge leads back. The last vertex stands for the start of all of them.
    start = accounts + groups
    lonely = np.flatnonzero(partner < 0)
    origins = np.concatenate([rows, matched_group + accounts, np.full(len(lonely), start)])
    goals = np.concatenate([columns + accounts, matched_account, lonely])
    paths = csr_array((np.ones(len(origins), dtype=np.int8), (origins, goals)), shape=(start + 1, start + 1))
    reached = np.zeros(start + 1, dtype=bool)
    reached[breadth_first_order(paths, start, directed=True, return_predecessors=False)] = True
    group_in_cover = reached[accounts:start]
    return pl.Series("by_group", group_in_cover[columns])
