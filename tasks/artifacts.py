"""What a run leaves in the Prefect UI. Outside of a flow run nothing is published, and Prefect is not imported."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from typing import Any
from uuid import UUID

from reconcile.explain import changes, markdown
from reconcile.results import RunHeader
from reconcile.trend import TrendRun, as_markdown
from tasks.documents import link
from tasks.ending import Ending
from tasks.step import in_flow_run

__all__ = ["publish"]


async def publish(ending: Ending, header: RunHeader, *, most_rows: int, last_runs: Sequence[TrendRun]) -> None:
    """A markdown summary with a link to the whole document and a picture of the last runs, and a table of what changed
    (capped, and saying so).

    Two and not one for each thing: Prefect keeps each artifact three times, and tells of it in two events, which takes
    some 15 kB of its database besides what the artifact holds (measured with 3.8.8).

    What Prefect will not take costs a warning in the run's log; the document and the ledger have it all.
    """
    if not in_flow_run():
        return
    from httpx import HTTPError  # noqa: PLC0415
    from prefect.logging import get_run_logger  # noqa: PLC0415

    for what, store in _artifacts(ending, header, most_rows, last_runs):
        try:
            await store
        except HTTPError as error:
            get_run_logger().warning("the artifact %s-%s could not be stored: %s", header.sync, what, error)


def _artifacts(
    ending: Ending, header: RunHeader, most_rows: int, last_runs: Sequence[TrendRun]
) -> Iterator[tuple[str, Coroutine[Any, Any, UUID]]]:
    """What of the key follows the sync's name, and the request that stores it."""
    from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact  # noqa: PLC0415

    sync = header.sync
    everybody = _where(link(ending.document), ending.run_id) if ending.document else ""
    summary = f"{_summary(ending, header)}\n{everybody}## The last runs\n\n{as_markdown(last_runs)}\n"
    yield (
        "summary",
        acreate_markdown_artifact(summary, key=f"{sync}-summary", description=ending.message),
    )
    if ending.plan is not None and not ending.plan.empty:
        rows, more = changes(ending.plan, most=most_rows)
        table = rows.to_dicts()
        if more:
            table.append({"what": f"… {more:,} more", "who": "", "detail": "in the document of the run", "why": ""})
        shown = f"{rows.height:,} of {rows.height + more:,} operations" if more else f"{rows.height:,} operations"
        yield "changes", acreate_table_artifact(table, key=f"{sync}-changes", description=shown)


def _where(url: str, run_id: str) -> str:
    """Prefect's pages make dead links of files and buckets, and a browser would not open them either."""
    place = f"[{url}]({url})" if url.startswith(("http://", "https://")) else f"`{url}`"
    read = f"`usersync results {run_id} --document`"
    return f"## The result of every person\n\nAs JSON: {place}\n\nTo read it: {read}\n\n"


def _summary(ending: Ending, header: RunHeader) -> str:
    if ending.plan is None:
        return f"# {header.sync}: {ending.status}\n\n{ending.message}\n\n**Next:** {ending.next_step}\n"
    said = header.decision
    told = markdown(ending.plan, status=ending.status, next_step=ending.next_step, applied=ending.applied)
    if said is not None:
        why = f": {said.comment}" if said.comment else ""
        told += f"\n**Decided:** {said.decision}, by {said.by} on {said.at:%Y-%m-%d %H:%M} UTC{why}\n"
    return told if ending.status != "cancelled" else f"{told}\n{ending.message}\n"
