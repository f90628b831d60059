"""Two deployments on one Bitbucket: the ledger keeps their runs apart, whatever Prefect starts at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import polars as pl
import yaml

from tests.e2e.stage import Stage
from tests.flow.server import FlowHost, PrefectServer, flow_host, wait_for


def test_a_run_waits_for_the_one_on_the_same_target_and_then_reads_anew(
    server: PrefectServer, host: FlowHost, stage: Stage
) -> None:
    text = yaml.safe_load(stage.sync_file.read_text(encoding="utf-8"))
    other = stage.folder / "other.yaml"
    other.write_text(yaml.safe_dump({**text, "name": "other"}), encoding="utf-8")
    stage.bitbucket.faults.slow(0.2, method="WRITE", times=None)
    with flow_host(server, "second") as second, ThreadPoolExecutor() as both:
        second.warm_up()
        first = both.submit(host.sync, stage)
        wait_for(lambda: stage.effects or None, "the first change in Bitbucket")
        later = both.submit(second.run, "sync", stage, sync_file=str(other)).result()
        earlier = first.result()
    assert (earlier.name, later.name) == ("Completed", "Completed")
    with stage.ledger() as ledger:
        one, two = (ledger.runs.find_by_flow_run(ended.id) for ended in (earlier, later))
        assert one is not None
        assert two is not None
        assert one.ended_at is not None
        assert two.started_at < one.ended_at
        # The second finds the accounts of the first: it takes them over and creates none.
        assert "create" not in two.header["counts"]
        assert two.header["counts"]["adopt"] == one.header["counts"]["create"]
        assert ledger.journal.entries(str(two.plan_id)).filter(pl.col("at") < one.ended_at).is_empty()
    assert stage.repeated() == []
    told = server.wait_for_log(later.id, "waiting for another run to end")
    assert [line for line in told if one.id in line]
