"""What every source must do, whoever its vendor is. A source's test inherits one of the two classes:

`SourceContract` for any source, `HttpSourceContract` for one that is asked over HTTP and can be harmed by
`sandbox.faults`. Either way the subclass says how a company is put on stage:

    class TestExampleSource(HttpSourceContract):
        paths = {"people": "^/users$", "groups": "^/groups$", "members": "/members$"}

        @contextmanager
        def staged(self, company, sleeps):
            simulator = ExampleSimulator(company)
            with simulator.served() as url:
                source = ExampleSource(settings_for(url), retry=QUICK, sleep=sleeps)
                yield Stage(source, company, external_id=..., faults=simulator.faults, ...)

Everything else has a default that a subclass may override: `is_active`, `members_of`, `cannot_notice`, `nests`.
The suite judges by one rule: a read is whole, or it says that it is not. Fewer rows with a clean verdict is the one
outcome that no fault may have.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import polars as pl
import pytest

from connectors.contract import Source
from connectors.http.retry import RetryPolicy
from directory.errors import CredentialsRefused, SourceUnavailable, SourceUnreadable
from directory.snapshot import MEMBERSHIPS, PEOPLE, SOURCE_GROUPS, SourceSnapshot
from sandbox.company import Company, Person, Standing
from sandbox.faults import Fault, FaultKind, Faults
from sandbox.population import company as found_company
from tests.contract.happenings import happen

QUICK = RetryPolicy(attempts=4)
"""Few tries, for faults that last. The waits between them take no time with `Sleeps`."""

LISTS = ("people", "groups", "members")


class Sleeps(list[float]):
    """A sleep that takes no time and remembers how long it would have taken."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@dataclass
class Stage:
    """A source before an audience: what it reads, and the strings that make it fail."""

    source: Source
    company: Company
    external_id: Callable[[Person], str]
    secrets: tuple[str, ...] = ()
    """Marked secrets that the source was given; none may show in a log."""
    faults: Faults = field(default_factory=Faults)
    requests: Callable[[], int] = lambda: 0
    """How many requests the simulator saw so far, token requests included."""
    expire_credentials: Callable[[], object] | None = None
    """End every access token now; None where credentials do not expire."""
    refuse_credentials: Callable[[], object] | None = None
    """From now on the credentials are no good, and no fresh token is to be had."""
    tie_a_knot: Callable[[], object] | None = None
    """Make two groups members of each other, where the vendor lets groups nest."""


def effective_members(memberships: pl.DataFrame) -> dict[str, set[str]]:
    """Group id to the people in it, directly or through others."""
    people: dict[str, set[str]] = defaultdict(set)
    below: dict[str, set[str]] = defaultdict(set)
    for group, member, is_group in memberships.iter_rows():
        (below if is_group else people)[group].add(member)
    found = {}
    for group in people.keys() | below.keys():
        within, waiting = {group}, [group]
        while waiting:
            further = below.get(waiting.pop(), set()) - within
            within |= further
            waiting.extend(further)
        found[group] = set().union(*(people.get(each, set()) for each in within))
    return found


class SourceContract(ABC):
    """For any source. Expectations are computed from the invented company, never from what the source said."""

    nests: ClassVar[bool] = False
    """Whether the source gives groups as members of groups."""
    people_in_a_large_company: ClassVar[int] = 10_000

    @abstractmethod
    def staged(self, company: Company, sleeps: Sleeps) -> AbstractContextManager[Stage]:
        """Put a company on stage; the source's retries wait by `sleeps`."""

    def is_active(self, person: Person) -> bool:
        """How the source must see a person's standing."""
        return person.standing not in {Standing.LEFT, Standing.SUSPENDED, Standing.STAGED}

    def members_of(self, company: Company, group_id: str) -> set[str]:
        """Ids of the company's people who are in a group, directly or through others, as the source must see it."""
        return company.effective_members(group_id)

    def person_appears(self, person: Person) -> bool:
        """Whether the vendor lists such a person at all."""
        return True

    @pytest.fixture
    def firm(self) -> Company:
        """Enough people and groups for several pages."""
        return found_company(people=450, groups=24)

    @pytest.fixture
    def sleeps(self) -> Sleeps:
        return Sleeps()

    # What is the same for all.

    def assert_well_formed(self, snapshot: SourceSnapshot) -> None:
        for frame, schema in (
            (snapshot.people, PEOPLE),
            (snapshot.groups, SOURCE_GROUPS),
            (snapshot.memberships, MEMBERSHIPS),
        ):
            declared = {name: frame.schema.get(name) for name in schema}
            assert declared == dict(schema)
        allowed = {pl.String(), pl.Boolean(), pl.Int64(), pl.List(pl.String())}
        assert set(snapshot.people.schema.values()) <= allowed
        assert snapshot.people["external_id"].is_unique().all()
        assert snapshot.people["external_id"].null_count() == 0
        assert snapshot.people["active"].null_count() == 0
        assert snapshot.groups["group_id"].is_unique().all()
        assert snapshot.memberships.is_unique().all()
        people = set(snapshot.people["external_id"])
        groups = set(snapshot.groups["group_id"])
        assert set(snapshot.memberships["group_id"]) <= groups
        by_kind = snapshot.memberships.partition_by("member_is_group", as_dict=True)
        for (is_group,), rows in by_kind.items():
            assert set(rows["member_id"]) <= (groups if is_group else people)

    def assert_whole(self, stage: Stage, snapshot: SourceSnapshot) -> None:
        """Complete, and equal to the company in people, states, groups and effective memberships."""
        assert snapshot.completeness.findings == ()
        self.assert_well_formed(snapshot)
        assert self._seen(snapshot) == self._truth(stage)

    async def assert_whole_or_honest(self, stage: Stage) -> SourceSnapshot | None:
        """The read raises, or is incomplete and says why, or is whole. None where it raised."""
        try:
            snapshot = await stage.source.read()
        except (SourceUnavailable, SourceUnreadable):
            return None
        self.assert_well_formed(snapshot)
        if snapshot.completeness.complete:
            self.assert_whole(stage, snapshot)
        return snapshot

    def _truth(self, stage: Stage) -> dict[str, Any]:
        people = {key: person for key, person in stage.company.people.items() if self.person_appears(person)}
        ids = {key: stage.external_id(person) for key, person in people.items()}
        return {
            "people": {ids[key]: (person.email, self.is_active(person)) for key, person in people.items()},
            "groups": sorted(group.name for group in stage.company.groups.values()),
            "memberships": {
                (group.name, ids[key])
                for group in stage.company.groups.values()
                for key in self.members_of(stage.company, group.id)
                if key in ids
            },
        }

    def _seen(self, snapshot: SourceSnapshot) -> dict[str, Any]:
        people = snapshot.people.select("external_id", "email", "active").iter_rows()
        names = dict(snapshot.groups.select("group_id", "name").iter_rows())
        return {
            "people": {external_id: (email, active) for external_id, email, active in people},
            "groups": sorted(snapshot.groups["name"]),
            "memberships": {
                (names[group_id], member)
                for group_id, members in effective_members(snapshot.memberships).items()
                for member in members
            },
        }

    # The contract.

    async def test_everybody_every_group_and_every_membership_is_read(self, firm: Company, sleeps: Sleeps) -> None:
        with self.staged(firm, sleeps) as stage:
            self.assert_whole(stage, await stage.source.read())
            await stage.source.close()

    async def test_reading_again_gives_the_same_frames(self, firm: Company, sleeps: Sleeps) -> None:
        with self.staged(firm, sleeps) as stage:
            first, second = await stage.source.read(), await stage.source.read()
            await stage.source.close()
        assert first.people.sort("external_id").equals(second.people.sort("external_id"))
        assert first.groups.sort("group_id").equals(second.groups.sort("group_id"))
        columns = ["group_id", "member_id"]
        assert first.memberships.sort(columns).equals(second.memberships.sort(columns))

    async def test_a_second_read_sees_what_changed(self, firm: Company, sleeps: Sleeps) -> None:
        with self.staged(firm, sleeps) as stage:
            await stage.source.read()
            leaver, mover, renamed = firm.pick(3)
            firm.leave(leaver.id)
            firm.move(mover.id)
            firm.rename(renamed.id)
            self.assert_whole(stage, await stage.source.read())
            await stage.source.close()

    async def test_a_company_of_nobody_is_complete_and_empty(self, sleeps: Sleeps) -> None:
        with self.staged(found_company(people=0, groups=6), sleeps) as stage:
            snapshot = await stage.source.read()
            self.assert_whole(stage, snapshot)
            await stage.source.close()
        assert snapshot.people.height == snapshot.memberships.filter(~pl.col("member_is_group")).height == 0
        assert snapshot.groups.height == 6

    async def test_names_in_any_script_arrive_unchanged(self, firm: Company, sleeps: Sleeps) -> None:
        written = ["Ōkubo-Þórsdóttir", "李", 'O\'Brien; "x"', "علي", "🦉 Owl"]
        people = firm.pick(len(written))
        for person, name in zip(people, written, strict=True):
            firm.rename(person.id, last=name, plain="plain")
        group = firm.rename_group(next(iter(firm.groups)), "Équipe ✓ / ü, 開発")
        with self.staged(firm, sleeps) as stage:
            snapshot = await stage.source.read()
            self.assert_whole(stage, snapshot)
            shown = dict(snapshot.people.select("external_id", "display_name").iter_rows())
            for person in people:
                assert shown[stage.external_id(person)] == firm.people[person.id].display_name
            await stage.source.close()
        assert group.name in set(snapshot.groups["name"])

    async def test_a_large_company_is_read_whole(self, sleeps: Sleeps) -> None:
        large = found_company(people=self.people_in_a_large_company, groups=60)
        reports: list[tuple[str, int]] = []
        with self.staged(large, sleeps) as stage:
            snapshot = await stage.source.read(lambda what, count: reports.append((what, count)))
            self.assert_whole(stage, snapshot)
            await stage.source.close()
        assert ("people", snapshot.people.height) in reports

    async def test_nested_groups_that_contain_each_other_end_the_read_all_the_same(
        self, firm: Company, sleeps: Sleeps
    ) -> None:
        if not self.nests:
            pytest.skip("does not apply: this source has no groups in groups")
        with self.staged(firm, sleeps) as stage:
            assert stage.tie_a_knot is not None
            stage.tie_a_knot()
            snapshot = await stage.source.read()
            self.assert_well_formed(snapshot)
            assert effective_members(snapshot.memberships)
            await stage.source.close()

    async def test_a_source_that_works_has_no_problem_to_report(self, firm: Company, sleeps: Sleeps) -> None:
        with self.staged(firm, sleeps) as stage:
            findings = await stage.source.check()
            await stage.source.close()
        assert findings
        assert [finding for finding in findings if finding.level == "problem"] == []

    async def test_no_secret_shows_in_any_log(
        self, firm: Company, sleeps: Sleeps, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with self.staged(firm, sleeps) as stage:
            await stage.source.check()
            await stage.source.read()
            shown = repr(stage.source) + repr(vars(stage.source))
            await stage.source.close()
            for secret in stage.secrets:
                assert secret not in shown
                assert secret not in caplog.text
                assert not [record for record in caplog.records if secret in str(vars(record))]

    async def test_a_source_may_be_closed_twice(self, firm: Company, sleeps: Sleeps) -> None:
        with self.staged(firm, sleeps) as stage:
            await stage.source.close()
            await stage.source.close()


class HttpSourceContract(SourceContract):
    """For a source over HTTP. `Stage.faults` must be the simulator's, and the stage's pages small enough that
    `firm` takes several of them for people and groups.
    """

    paths: ClassVar[Mapping[str, str]]
    """Regular expressions for `people`, `groups` and `members`, matched against the path of a request."""
    cannot_notice: ClassVar[Mapping[tuple[FaultKind, str], str]] = {}
    """What the vendor gives no means to notice, and why, such as `{(FaultKind.EARLY_END, "groups"): "..."}`."""
    single_page: ClassVar[frozenset[str]] = frozenset()
    """Lists that come in one answer, so a page in the middle cannot be harmed."""

    def _harm(self, stage: Stage, kind: FaultKind, which: str, **options: Any) -> None:
        stage.faults.add(Fault(kind, self.paths[which], **options))

    def _skip_what_cannot_be_noticed(self, kind: FaultKind, which: str) -> None:
        reason = self.cannot_notice.get((kind, which))
        if reason is not None:
            pytest.skip(f"does not apply: {reason}")

    @pytest.mark.parametrize("which", LISTS)
    @pytest.mark.parametrize("status", [429, 503])
    async def test_a_server_that_asks_for_patience_gets_it(
        self, firm: Company, sleeps: Sleeps, which: str, status: int
    ) -> None:
        with self.staged(firm, sleeps) as stage:
            self._harm(stage, FaultKind.STATUS, which, status=status, headers={"retry-after": "37"}, times=2)
            self.assert_whole(stage, await stage.source.read())
            await stage.source.close()
        assert sum(1 for seconds in sleeps if seconds >= 36) >= 1

    @pytest.mark.parametrize("which", LISTS)
    @pytest.mark.parametrize(
        "kind", [FaultKind.STATUS, FaultKind.DROP, FaultKind.CUT, FaultKind.TRUNCATED], ids=lambda kind: kind.value
    )
    async def test_a_page_that_fails_once_is_read_again(
        self, firm: Company, sleeps: Sleeps, which: str, kind: FaultKind
    ) -> None:
        with self.staged(firm, sleeps) as stage:
            self._harm(stage, kind, which, status=502)
            self.assert_whole(stage, await stage.source.read())
            await stage.source.close()

    @pytest.mark.parametrize("which", LISTS)
    @pytest.mark.parametrize(
        "kind", [FaultKind.STATUS, FaultKind.DROP, FaultKind.CUT, FaultKind.TRUNCATED], ids=lambda kind: kind.value
    )
    async def test_a_page_that_fails_for_good_is_a_failed_read(
        self, firm: Company, sleeps: Sleeps, which: str, kind: FaultKind
    ) -> None:
        with self.staged(firm, sleeps) as stage:
            self._harm(stage, kind, which, status=500, skip=0 if which in self.single_page else 1, times=1000)
            snapshot = await self.assert_whole_or_honest(stage)
            await stage.source.close()
        assert snapshot is None or not snapshot.completeness.complete

    @pytest.mark.parametrize("which", LISTS)
    async def test_a_list_that_may_not_be_read_is_not_an_empty_list(
        self, firm: Company, sleeps: Sleeps, which: str
    ) -> None:
        with self.staged(firm, sleeps) as stage:
            self._harm(stage, FaultKind.STATUS, which, status=403, times=1000)
            with pytest.raises(CredentialsRefused):
                await stage.source.read()
            await stage.source.close()

    @pytest.mark.parametrize("which", LISTS)
    @pytest.mark.parametrize(
        "kind",
        [
            FaultKind.EARLY_END,
            FaultKind.LOST_ROW,
            FaultKind.DUPLICATED_ROW,
            FaultKind.REPEATED_PAGE,
            FaultKind.EMPTY_PAGE,
        ],
        ids=lambda kind: kind.value,
    )
    async def test_a_page_that_lies_never_makes_rows_vanish_in_silence(
        self, firm: Company, sleeps: Sleeps, which: str, kind: FaultKind
    ) -> None:
        self._skip_what_cannot_be_noticed(kind, which)
        with self.staged(firm, sleeps) as stage:
            self._harm(stage, kind, which)
            await self.assert_whole_or_honest(stage)
            await stage.source.close()
            assert stage.faults.pending() == []

    @pytest.mark.parametrize("which", LISTS)
    @pytest.mark.parametrize("times", [1, 1000], ids=["once", "always"])
    async def test_rows_that_move_between_pages_hide_nobody_in_silence(
        self, firm: Company, sleeps: Sleeps, which: str, times: int
    ) -> None:
        self._skip_what_cannot_be_noticed(FaultKind.CHANGED_ORDER, which)
        with self.staged(firm, sleeps) as stage:
            # Members have several lists, and which request is for a second page depends on the order of answers.
            lasts = which == "members" or times > 1
            self._harm(stage, FaultKind.CHANGED_ORDER, which, skip=0 if lasts else 1, times=1000 if lasts else 1)
            await self.assert_whole_or_honest(stage)
            await stage.source.close()
            assert not stage.faults.pending() or lasts or which in self.single_page

    @pytest.mark.parametrize("which", LISTS)
    async def test_a_slow_page_is_waited_for(self, firm: Company, sleeps: Sleeps, which: str) -> None:
        with self.staged(firm, sleeps) as stage:
            self._harm(stage, FaultKind.SLOW, which, seconds=0.2)
            self.assert_whole(stage, await stage.source.read())
            await stage.source.close()
            assert stage.faults.pending() == []

    @pytest.mark.parametrize("which", LISTS)
    @pytest.mark.parametrize("deed", ["hire", "erase", "rename", "move", "close_group"])
    async def test_what_happens_while_it_is_read_hides_nothing_that_stays(
        self, firm: Company, sleeps: Sleeps, which: str, deed: str
    ) -> None:
        with self.staged(firm, sleeps) as stage:
            before = self._truth(stage)
            self._harm(
                stage,
                FaultKind.CHANGE,
                which,
                skip=0 if which in self.single_page else 1,
                change=lambda: happen(firm, deed),
            )
            try:
                snapshot = await stage.source.read()
            except (SourceUnavailable, SourceUnreadable):
                return
            finally:
                await stage.source.close()
            assert stage.faults.pending() == []
            self.assert_well_formed(snapshot)
            if snapshot.completeness.complete:
                after, seen = self._truth(stage), self._seen(snapshot)
                for what in ("people", "groups", "memberships"):
                    assert set(before[what]) & set(after[what]) <= set(seen[what])
                    assert set(seen[what]) <= set(before[what]) | set(after[what])

    async def test_a_page_that_comes_for_ever_ends_the_read(self, firm: Company, sleeps: Sleeps) -> None:
        with self.staged(firm, sleeps) as stage:
            self._harm(stage, FaultKind.REPEATED_PAGE, "people", times=100_000)
            snapshot = await self.assert_whole_or_honest(stage)
            await stage.source.close()
        assert snapshot is None or not snapshot.completeness.complete

    async def test_a_group_that_vanishes_between_its_listing_and_its_members_is_noticed(
        self, firm: Company, sleeps: Sleeps
    ) -> None:
        with self.staged(firm, sleeps) as stage:
            self._harm(stage, FaultKind.STATUS, "members", status=404, times=1)
            snapshot = await self.assert_whole_or_honest(stage)
            await stage.source.close()
        assert snapshot is not None
        assert len(snapshot.completeness.findings) == 1
        assert snapshot.groups.height == len(firm.groups) - 1
        assert snapshot.people.height == sum(self.person_appears(person) for person in firm.people.values())

    @pytest.mark.parametrize("which", LISTS)
    async def test_a_token_that_expires_in_the_middle_is_renewed(
        self, firm: Company, sleeps: Sleeps, which: str
    ) -> None:
        with self.staged(firm, sleeps) as stage:
            if stage.expire_credentials is None:
                pytest.skip("does not apply: these credentials do not expire")
            skip = 0 if which in self.single_page else 1
            self._harm(stage, FaultKind.CHANGE, which, change=stage.expire_credentials, skip=skip)
            self.assert_whole(stage, await stage.source.read())
            await stage.source.close()
            assert stage.faults.pending() == []

    async def test_refused_credentials_stop_everything(self, firm: Company, sleeps: Sleeps) -> None:
        with self.staged(firm, sleeps) as stage:
            assert stage.refuse_credentials is not None
            stage.refuse_credentials()
            with pytest.raises(CredentialsRefused):
                await stage.source.read()
            sent = stage.requests()
            assert sent <= 2
            with pytest.raises(CredentialsRefused):
                await stage.source.read()
            assert stage.requests() == sent
            findings = await stage.source.check()
            await stage.source.close()
        problems = [finding for finding in findings if finding.level == "problem"]
        assert problems
        assert all(finding.next_step for finding in problems)

    async def test_every_request_is_counted(self, firm: Company, sleeps: Sleeps) -> None:
        with self.staged(firm, sleeps) as stage:
            self._harm(stage, FaultKind.STATUS, "people", status=500, times=2)
            snapshot = await stage.source.read()
            await stage.source.close()
            assert snapshot.requests == stage.requests() > 0

    @pytest.mark.parametrize("status", [401, 500])
    async def test_no_secret_shows_when_things_go_wrong(
        self, firm: Company, sleeps: Sleeps, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with self.staged(firm, sleeps) as stage:
            echo = "".join(f"{secret} password={secret} " for secret in stage.secrets)
            self._harm(stage, FaultKind.STATUS, "people", status=status, body=echo, times=1000)
            with pytest.raises((CredentialsRefused, SourceUnavailable)) as caught:
                await stage.source.read()
            findings = await stage.source.check()
            await stage.source.close()
            for secret in stage.secrets:
                assert secret not in f"{caught.value} {caught.value!r} {findings}"
                assert secret not in caplog.text
