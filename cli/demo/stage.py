"""Where the demo plays: a temporary folder, an Okta and a Bitbucket on free loopback ports, and a console."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

import ledger as ledgers
from cli.demo.company import BITBUCKET_LOGIN, BITBUCKET_PASSWORD, found_company, stand_up_bitbucket
from cli.output import answers
from cli.render.grid import labelled, wrapped
from ledger.runs import Run
from sandbox.bitbucket import BitbucketSimulator
from sandbox.company import Company, Standing
from sandbox.okta import SSWS_TOKEN, OktaSimulator
from sandbox.serving import served

__all__ = ["NotAsTold", "Stage", "set_up"]

Main = Callable[[Sequence[str]], int]

COLUMNS = 100
_OTHERWISE = ("PREFECT_API_URL", "USERSYNC_LEDGER", "USERSYNC_HOME")
"""What would lead the demo out of its folder."""

_WORKS_HERE = {
    Standing.ACTIVE,
    Standing.INVITED,
    Standing.LOCKED,
    Standing.PASSWORD_EXPIRED,
    Standing.RECOVERING,
}

_SYNC_FILE = """\
# Okta → Bitbucket: everybody who is active, and every group that begins with bb-.
source:
  kind: okta
  url: {okta}
  token: env:DEMO_OKTA_TOKEN
target:
  kind: bitbucket
  url: {bitbucket}
  username: {login}
  password: env:DEMO_BITBUCKET_PASSWORD
groups:
  assign: ["bb-*"]
  always: [stash-users]
attributes:
  username: lower(split_part(username, '@', 1))
"""


class NotAsTold(Exception):
    """A step did not end as the story says."""


@dataclass(frozen=True)
class Stage:
    folder: Path
    folk: Company
    bitbucket: BitbucketSimulator
    console: Console
    main: Main

    def heading(self, number: int, title: str, *prose: str) -> None:
        self.console.print()
        self.console.print(Text.assemble((f" {number} ", "reverse bold"), (f" {title}", "bold")))
        self.prose(*prose)

    def prose(self, *paragraphs: str) -> None:
        for paragraph in paragraphs:
            for line in wrapped(paragraph, min(self.console.width, COLUMNS)):
                self.console.print(line)

    def usersync(self, *arguments: str, ends: int = 0) -> None:
        """Run a command as a person would type it. Raises `NotAsTold` for another exit code."""
        self.console.print()
        self.console.print(Text.assemble(("$ ", "bold green"), (f"usersync {' '.join(arguments)}", "bold")))
        code = self.main(arguments)
        if code != ends:
            raise NotAsTold(f"`usersync {' '.join(arguments)}` ended with exit code {code}, not {ends}")
        self.console.print(f"(exit code {code})", style="dim")

    def checked(self, *, holds: bool, what: str) -> None:
        """Say what was verified at the simulators. Raises `NotAsTold` where it is not so."""
        if not holds:
            raise NotAsTold(f"this does not hold: {what}")
        for line in labelled("✓", what, width=min(self.console.width, COLUMNS), indent=0, margin=2):
            line.stylize("bold green", 0, 1)
            self.console.print(line)

    def last_run(self) -> Run:
        with ledgers.open(ledgers.default_url()) as ledger:
            return ledger.runs.latest(limit=1)[0]

    @property
    def writes(self) -> int:
        """Requests other than GET that Bitbucket has received."""
        return self.bitbucket.requests.writes

    @property
    def membership_writes(self) -> int:
        """Those of them that put people into groups."""
        requests = self.bitbucket.requests
        return requests.count("POST", "/groups/add-users") + requests.count("POST", "/users/add-groups")

    def wanted_groups(self) -> dict[str, set[str]]:
        """By username, what Okta gives. Computed from the invented company, not from anything that usersync read."""
        folk = self.folk
        return {
            person.username: {folk.groups[known].name for known in folk.effective_groups(person.id)} | {"stash-users"}
            for person in folk.people.values()
            if person.standing in _WORKS_HERE
        }

    def as_okta_says(self) -> bool:
        """Whether every wanted account has exactly the groups it should have."""
        state = self.bitbucket.state
        return all(
            state.user(name) is not None and set(state.groups_of(name)) == groups
            for name, groups in self.wanted_groups().items()
        )


@contextmanager
def set_up(main: Main, *, keep: bool) -> Iterator[Stage]:
    """Everything is gone at the end, the folder only unless it shall be kept."""
    folk = found_company()
    okta, bitbucket = OktaSimulator(folk), stand_up_bitbucket(folk)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="usersync-demo-"))
        if not keep:
            stack.push(_removal(folder))
        stack.enter_context(_inside(folder))
        stack.enter_context(_environment())
        okta_url, bitbucket_url = stack.enter_context(okta.served()), stack.enter_context(served(bitbucket.app))
        syncs = folder / "syncs"
        syncs.mkdir()
        text = _SYNC_FILE.format(okta=okta_url, bitbucket=bitbucket_url, login=BITBUCKET_LOGIN)
        (syncs / "okta.yaml").write_text(text, encoding="utf-8")
        yield Stage(folder, folk, bitbucket, answers(), main)


def _removal(folder: Path) -> Callable[..., None]:
    """Removes the folder at the end, unless something in it may tell why the demo failed."""

    def end(_kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, NotAsTold):
            shutil.rmtree(folder)

    return end


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    for name in _OTHERWISE:
        os.environ.pop(name, None)
    os.environ["DEMO_OKTA_TOKEN"] = SSWS_TOKEN
    os.environ["DEMO_BITBUCKET_PASSWORD"] = BITBUCKET_PASSWORD
    if not answers().is_terminal:
        os.environ["COLUMNS"] = str(COLUMNS)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
