"""What a run leaves in the Prefect UI. Outside of a flow run nothing is published, and Prefect is not imported."""

from __future__ import annotations

from reconcile.explain import changes, markdown
from reconcile.results import RunHeader
from tasks.ending import Ending
from tasks.step import in_flow_run

__all__ = ["publish"]


async def publish(ending: Ending, header: RunHeader, *, most_rows: int) -> None:
    """A markdown summary, a table of what changed (capped, and saying so), and a link to the whole document."""
    if not in_flow_run():
        return
    from prefect.artifacts import acreate_link_artifact, acreate_markdown_artifact, acreate_table_artifact  # noqa: PLC0415

    await acreate_markdown_artifact(_summary(ending, header), key=f"{header.sync}-summary", description=ending.message)
    if ending.plan is not None and not ending.plan.empty:
        rows, more = changes(ending.plan, most=most_rows)
        table = rows.to_dicts()
        if more:
            table.append({"what": f"… {more:,} more", "who": "", "detail": "in the document of the run", "why": ""})
        await acreate_table_artifact(table, key=f"{header.sync}-changes", description=f"{more:,} more in the document")
    if ending.document:
        await acreate_link_artifact(
            f"file://{ending.document}",
            link_text=f"run {ending.run_id}: the result of every person as JSON",
            key=f"{header.sync}-document",
        )


def _summary(ending: Ending, header: RunHeader) -> str:
    if ending.plan is None:
        return f"# {header.sync}: {ending.status}\n\n{ending.message}\n\n**Next:** {ending.next_step}\n"
    return markdown(ending.plan, status=ending.status, next_step=ending.next_step, applied=ending.applied)
