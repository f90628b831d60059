"""Killed at any moment and run again: the same end state, nothing twice, nothing lost, and everybody has a result."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from ledger.runs import Run
from sandbox.bitbucket import Switches
from tests.e2e.eventful_day import RELEASE_MANAGERS, before_the_day, eventful_day
from tests.e2e.executioner import Executioner, Moment
from tests.e2e.forked_runs import Forks, forks
from tests.e2e.stage import Stage, staged, statuses_in

pytestmark = pytest.mark.slow

STAFF = (150, 12)
FEW = (60, 12)
LATENCY = Switches(latency_seconds=0.002)
KILLED = -9


@dataclass(frozen=True)
class Undisturbed:
    """What a run asks and leaves where nobody kills it."""

    snapshot: dict[str, Any]
    effects: int
    reads_before: int
    """Requests before the first write."""
    requests: int

    @property
    def writes(self) -> int:
        return self.requests - self.reads_before


@dataclass
class Scene:
    stage: Stage
    executioner: Executioner
    forks: Forks

    def run(self, moment: Moment | None, do: Literal["sync", "apply"] = "sync", plan_id: str = "") -> int:
        """A run in a process of its own that is killed at the moment; its exit code."""
        self.executioner.await_moment(moment)
        self.executioner.meet(self.forks.start(self.stage, do, plan_id))
        return self.forks.wait()

    def kill(self, moment: Moment, do: Literal["sync", "apply"] = "sync", plan_id: str = "") -> bool:
        """Whether the run died of it; it may have ended before, where the moment is late or never comes."""
        code = self.run(moment, do, plan_id)
        self._wait_until_quiet()
        with self.stage.ledger() as ledger:
            unfinished = ledger.runs.latest(limit=1)[0].status == "running"
        assert code == KILLED or (code == 0 and not unfinished)
        assert unfinished or moment.later or not self.executioner.struck
        return unfinished

    def _wait_until_quiet(self) -> None:
        """What the dead process had sent may still take effect."""
        seen = -1
        while seen != len(self.stage.bitbucket.requests):
            seen = len(self.stage.bitbucket.requests)
            time.sleep(0.05)


@pytest.fixture(scope="module")
def forking() -> Iterator[Forks]:
    with forks() as running:
        yield running


@contextmanager
def scene(folder: Path, forking: Forks, staff: tuple[int, int]) -> Iterator[Scene]:
    executioner = Executioner()
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        staged(folder, monkeypatch, staff=staff, switches=LATENCY, wrap=executioner.wrap) as stage,
    ):
        yield Scene(stage, executioner, forking)


def measure(scene: Scene, do: Literal["sync", "apply"] = "sync", plan_id: str = "") -> Undisturbed:
    scene.stage.mark()
    assert scene.run(None, do, plan_id) == 0
    began = scene.executioner.writes_begin
    assert began is not None
    return Undisturbed(scene.stage.snapshot(), len(scene.stage.effects), began - 1, scene.executioner.requests)


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory, forking: Forks) -> Undisturbed:
    with scene(tmp_path_factory.mktemp("load"), forking, STAFF) as calm:
        return measure(calm)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory, forking: Forks) -> Undisturbed:
    with scene(tmp_path_factory.mktemp("day"), forking, FEW) as calm:
        before_the_day(calm.stage)
        eventful_day(calm.stage)
        return measure(calm)


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory, forking: Forks) -> Undisturbed:
    """Of the day's plan."""
    with scene(tmp_path_factory.mktemp("application"), forking, FEW) as calm:
        before_the_day(calm.stage)
        eventful_day(calm.stage)
        return measure(calm, "apply", calm.stage.make_plan().plan.id)


def moment_of(seed: int, known: Undisturbed) -> Moment:
    """A few moments of reading, planning and reporting, most of them of writing."""
    chance = random.Random(seed)
    when: Literal["asked", "done", "answered"] = chance.choice(["asked", "done", "answered"])
    if seed % 10 == 0:
        return Moment(chance.randint(1, known.reads_before), when)
    if seed % 10 == 1:
        return Moment(known.reads_before, "answered", chance.uniform(0, 0.1))
    if seed % 10 == 2:
        return Moment(known.requests, "answered", chance.uniform(0, 0.03))
    if seed % 10 == 3:
        return Moment(known.reads_before + 1, when)
    return Moment(chance.randint(known.reads_before + 1, known.requests), when)


def assert_crash_is_on_record(stage: Stage, run: Run, effects: int | None = None) -> None:
    """`effects` is how many changes the dead run had made: one for each operation that its results call done."""
    assert run.status == "crashed"
    if run.plan_id is None:
        assert not effects
        return
    document = stage.document(run.id)
    assert len(document["people"]) == len(stage.company.people)
    assert document["run"]["exit_code"] == 1
    statuses = statuses_in(document)
    assert set(statuses) <= {"done", "failed", "not_sent"}
    assert effects in {None, statuses["done"]}


def assert_complete(stage: Stage) -> None:
    """The last run has done all that was left, and the ledger knows every account."""
    with stage.ledger() as ledger:
        last = ledger.runs.latest()[0]
    document = stage.document(last.id)
    assert set(statuses_in(document)) <= {"done"}
    assert len(document["people"]) == len(stage.company.people)
    stage.assert_settled()
    with stage.ledger() as ledger:
        links = ledger.links.frame("staff")
    assert links["account_id"].null_count() == 0
    names = {user.key: str(user.id) for user in stage.bitbucket.state.truth.users.values()}
    assert dict(links.select("username", "account_id").iter_rows()) == {name: names[name] for name in links["username"]}
    assert stage.repeated() == []


@pytest.mark.parametrize("seed", range(20))
def test_a_load_that_is_killed_and_run_again_ends_as_if_nothing_had_happened(
    tmp_path: Path, forking: Forks, load: Undisturbed, seed: int
) -> None:
    moments = [moment_of(seed, load)]
    if seed >= 14:
        # The second run is killed as well: it reads more and writes less, so the moment is one of its first writes.
        moments.append(Moment(load.reads_before + random.Random(seed).randint(1, 30), "done"))
    with scene(tmp_path, forking, STAFF) as played:
        stage = played.stage
        effects_of_the_dead = []
        for moment in moments:
            if played.kill(moment):
                effects_of_the_dead.append(len(stage.effects))
                stage.mark()
        assert effects_of_the_dead or moments[0].later

        assert played.run(None) == 0
        assert stage.snapshot() == load.snapshot
        assert len(stage.bitbucket.effects) == load.effects
        assert stage.bitbucket.effects.repeated() == []
        with stage.ledger() as ledger:
            crashed = [run for run in reversed(ledger.runs.latest()) if run.status == "crashed"]
        assert len(crashed) == len(effects_of_the_dead)
        for run, effects in zip(crashed, effects_of_the_dead, strict=True):
            assert_crash_is_on_record(stage, run, effects)
        assert_complete(stage)


@pytest.mark.parametrize("seed", range(20, 28))
def test_a_day_of_all_changes_that_is_killed_and_run_again_ends_as_if_nothing_had_happened(
    tmp_path: Path, forking: Forks, day: Undisturbed, seed: int
) -> None:
    with scene(tmp_path, forking, FEW) as played:
        stage = played.stage
        before_the_day(stage)
        leaver = stage.active(1)[0]
        eventful_day(stage)
        stage.mark()
        died = played.kill(moment_of(seed, day))

        assert played.run(None) == 0
        assert stage.snapshot() == day.snapshot
        assert stage.repeated() == []
        assert len(stage.effects) == day.effects
        if died:
            with stage.ledger() as ledger:
                assert_crash_is_on_record(stage, ledger.runs.latest()[1])
        assert_complete(stage)

        # What was taken from the leaver by hand is still remembered, however the two runs shared the work.
        stage.company.return_(leaver.id)
        assert stage.sync().people[leaver.username]["outcome"] == "reactivated"
        assert RELEASE_MANAGERS in stage.bitbucket.state.groups_of(leaver.username)
        assert stage.bitbucket.state.truth.user_grants[leaver.username] == "PROJECT_CREATE"


@pytest.mark.parametrize("seed", range(30, 36))
def test_a_plan_whose_application_is_killed_goes_on_from_there(
    tmp_path: Path, forking: Forks, day: Undisturbed, application: Undisturbed, seed: int
) -> None:
    with scene(tmp_path, forking, FEW) as played:
        stage = played.stage
        before_the_day(stage)
        eventful_day(stage)
        plan = stage.make_plan().plan
        stage.mark()
        died = played.kill(moment_of(seed, application), "apply", plan.id)
        written = len(stage.writes)

        assert played.run(None, "apply", plan.id) == 0
        assert stage.snapshot() == application.snapshot == day.snapshot
        assert stage.repeated() == []
        assert len(stage.effects) == application.effects
        # Those under way at the end may be sent again, and the one leaver's calls, which belong together.
        under_way, of_the_leaver = 4, 10
        assert len(stage.writes) - written <= application.writes - written + under_way + of_the_leaver
        with stage.ledger() as ledger:
            last, before = ledger.runs.latest()[:2]
            assert ledger.plans.get(plan.id).state == "applied"
        assert last.mode == before.mode == "apply"
        if died:
            # All may have been done by then, and only the report have been missing.
            assert last.status == "succeeded" or (last.status == "nothing_to_do" and written == application.writes)
            assert_crash_is_on_record(stage, before)
        assert_complete(stage)
