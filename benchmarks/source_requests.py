"""Requests that each source makes for a whole read, counted by its simulator, beside what its formula says.

Run: `.venv/bin/python benchmarks/source_requests.py [--full-scale] [SOURCE ...]`. Simulator and reader are processes of
their own that speak HTTP (LDAP: slapd, where that and python-ldap are installed). Of Entra and Okta the first read that
keeps from where to go on is counted too, and the one after ten people changed. `--full-scale` really reads the model
instead: 100,000 people and 5,000 groups, of which twenty have 5,000 members and the rest 200. The exit code is 1 where
a count differs from its formula, or a read was not whole; a bar that is not met is printed and is no error.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import msgspec

from sandbox.company import Company, Standing
from sandbox.founding import company_of_sizes
from sandbox.mutations import Deed, Mutation, carry_out
from sandbox.population import company as found_company
from tests import request_formulas as formulas
from tests.company_ldif import openldap
from tests.contract.ldap_stage import aged
from tests.slapd import PASSWORD, READER, SUFFIX, missing, slapd

KINDS = tuple(formulas.BARS)
PEOPLE, GROUPS = 4000, 300
"""Of the company that is read without `--full-scale`."""
CHANGES_BARS = {"entra": 5, "okta": 25}
MOST_MIB = 1024
SECRET = "USERSYNC_BENCHMARK_SECRET"
PLENTY = "1000000000"


@dataclass(frozen=True)
class Played:
    """What answers a source: the source's settings, and where the simulator is steered; None for slapd."""

    settings: dict[str, Any]
    url: str | None

    def count(self) -> int | None:
        """How many requests came."""
        if self.url is None:
            return None
        with urlopen(f"{self.url}/sandbox/requests") as answer:
            return len(json.load(answer))

    def order(self, mutation: Mutation) -> None:
        body = msgspec.json.encode(mutation)
        with urlopen(Request(f"{self.url}/sandbox/mutations", body, {"Content-Type": "application/json"})):
            pass


@contextmanager
def simulated(module: str, *arguments: str) -> Iterator[dict[str, Any]]:
    """Yield what the simulator announces."""
    process = subprocess.Popen([sys.executable, "-m", f"sandbox.{module}", *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def settings_of(kind: str, announced: dict[str, Any]) -> dict[str, Any]:
    """The source section for a simulator that announced itself so; the secret is in the environment."""
    url, secret = announced["url"], f"env:{SECRET}"
    client = {"kind": kind, "client_id": announced.get("client_id"), "client_secret": secret}
    return {
        "entra": {**client, "tenant_id": announced.get("tenant"), "login_url": url, "graph_url": url},
        "okta": {"kind": kind, "url": url, "token": secret},
        "google": {
            "kind": kind,
            "url": url,
            "subject": announced.get("subject"),
            "service_account_key": f"file:{announced.get('key_file')}",
            "queries_per_minute": int(PLENTY),
        },
        "onelogin": {**client, "url": url},
        "keycloak": {**client, "url": url, "realm": announced.get("realm")},
    }[kind]


@contextmanager
def played(kind: str, size: Sequence[str], company: Company) -> Iterator[Played]:
    """Start what answers the source; `size` are options of a simulator that make it show the same company."""
    with ExitStack() as stack:
        if kind == "ldap":
            server = stack.enter_context(slapd(aged(openldap(company))))
            os.environ[SECRET] = PASSWORD
            given = {"url": server.url, "encryption": "none", "product": "openldap", "base": SUFFIX}
            yield Played({"kind": kind, **given, "bind_dn": READER, "bind_password": f"env:{SECRET}"}, None)
            return
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="usersync-requests-"))
        # No quota of a vendor: it would cost waiting, and it costs no requests.
        extra = {
            "entra": ["--resource-units", PLENTY],
            "okta": ["--limit-factor", "1000"],
            "google": ["--port", str(_free_port()), "--key-file", str(Path(folder) / "key.json"), *_quota()],
            "onelogin": [],
            "keycloak": ["--token-seconds", "36000"],
        }[kind]
        module = "graph" if kind == "entra" else kind
        announced = stack.enter_context(simulated(module, *size, *extra))
        os.environ[SECRET] = announced.get("client_secret") or announced.get("token") or ""
        yield Played(settings_of(kind, announced), announced["url"])


def _quota() -> list[str]:
    return ["--queries-a-minute", PLENTY]


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Reader:
    """`one_read.py` in a process of its own, and whether all that it read was whole."""

    def __init__(self, answering: Played) -> None:
        self._answering = answering
        script = Path(__file__).with_name("one_read.py")
        asked = [sys.executable, str(script), json.dumps(answering.settings)]
        self._process = subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, order: str) -> dict[str, Any]:
        """Carry an order out. Raises RuntimeError where the read failed, was not whole, or made more than it said."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        before = self._answering.count()
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline() or "null")
        if found is None or found.pop("findings"):
            raise RuntimeError(f"{order} was not whole: {found}")
        after = self._answering.count()
        if before is not None and after is not None and after - before != found["requests"]:
            raise RuntimeError(f"{order} says {found['requests']} requests, and {after - before} came")
        return dict(found)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def formula(kind: str, company: Company) -> int:
    """For a whole read of that company, a token included where the source asks for one first."""
    people, groups = len(company.people), list(company.groups)
    put_in = [len(company.direct[key]) for key in groups]
    listed = [len(company.direct[key]) + len(company.children(key)) for key in groups]
    parents = sum(1 for key in groups if company.children(key))
    return {
        "entra": 1 + formulas.entra(people, listed),
        "okta": formulas.okta(people, [len(company.effective_members(key)) for key in groups]),
        "google": 1 + formulas.google(people, listed),
        "onelogin": 1 + formulas.onelogin(people, len(groups)),
        "keycloak": 1 + formulas.keycloak(people, put_in, parents=parents),
        "ldap": formulas.ldap(people, len(groups)),
    }[kind]


def entra_begins(company: Company) -> int:
    """The formula of Entra's read from which deltas go on, once there is a token."""
    listed = [len(company.direct[key]) + len(company.children(key)) for key in company.groups]
    return formulas.entra_beginning_deltas(len(company.people), listed)


def ten_people_change(company: Company, answering: Played) -> int:
    """Two leave, two move, four are renamed, two join: here and in the simulator, which draws the same lots.

    Requests that Okta's formula gives for it.
    """
    active = [person.id for person in company.people.values() if person.standing is Standing.ACTIVE][:8]
    deeds: tuple[Deed, ...] = ("leave", "leave", "move", "move", "rename", "rename", "rename", "rename")
    before = company.version
    mutations = [Mutation(do=deed, person=person) for deed, person in zip(deeds, active, strict=True)]
    for mutation in [*mutations, Mutation(do="hire", count=2)]:
        carry_out(company, mutation)
        answering.order(mutation)
    direct = {change.group_id for change in company.changes[before:] if change.group_id is not None}
    touched = {known for key in direct for known in company.lineage(key)}
    sizes = [len(company.effective_members(key)) for key in touched]
    return formulas.okta_changes(10, len(company.groups), sizes, deactivated=2)


def shown(kind: str, what: str, found: dict[str, Any], bars: dict[str, Any]) -> bool:
    """Print a line. Whether the count is the formula's, where there is one."""
    print(json.dumps({"source": kind, "read": what, **found, **bars}), flush=True)
    return "formula" not in bars or bars["formula"] == found["requests"]


def against(bar: int, requests: int) -> dict[str, Any]:
    return {"bar": bar, "bar_met": requests <= bar}


def measured(kind: str, *, full_scale: bool) -> bool:
    """Read it. Whether each count is the formula's."""
    if full_scale:
        company = company_of_sizes(formulas.MODEL_PEOPLE, formulas.MODEL_SIZES)
        size = ["--people", str(formulas.MODEL_PEOPLE), "--sizes", "4980x200,20x5000"]
    else:
        company = found_company(PEOPLE, GROUPS)
        size = ["--people", str(PEOPLE), "--groups", str(GROUPS)]
    expected = formula(kind, company)
    with played(kind, size, company) as answering, closing(Reader(answering)) as read:
        whole = read("read")
        bars = {"formula": expected}
        if full_scale:
            bars |= {"peak_mib_bar": MOST_MIB, "peak_met": whole["peak_mib"] < MOST_MIB}
        same = shown(kind, "whole", whole, bars)
        if kind in CHANGES_BARS and not full_scale:
            begun = entra_begins(company) if kind == "entra" else expected
            same &= shown(kind, "whole, to go on from", read("begin"), {"formula": begun})
            okta = ten_people_change(company, answering)
            changes = read("changes")
            bars = against(CHANGES_BARS[kind], changes["requests"]) | ({"formula": okta} if kind == "okta" else {})
            same &= shown(kind, "ten people changed", changes, bars)
    return same


def main() -> int:
    parser = argparse.ArgumentParser(description="Count the requests of each source.")
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=f"of {', '.join(KINDS)}; all of them without one")
    parser.add_argument("--full-scale", action="store_true", help="read 100,000 people and 5,000 groups")
    chosen = parser.parse_args()
    if unknown := set(chosen.sources) - set(KINDS):
        parser.error(f"there is no source {', '.join(sorted(unknown))} here")
    for kind, requests in formulas.model_requests().items():
        of_model = {"source": kind, "formula_for_100000_people_5000_groups": requests}
        print(json.dumps({**of_model, **against(formulas.BARS[kind], requests)}), flush=True)
    begun = formulas.entra_beginning_deltas(formulas.MODEL_PEOPLE, formulas.MODEL_SIZES)
    print(
        json.dumps({"source": "entra", "read": "whole, to go on from", "formula_for_100000_people_5000_groups": begun})
    )
    # As an interruption from the keyboard, so that the simulators end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    same = True
    for kind in chosen.sources or KINDS:
        if kind == "ldap" and (absent := missing() or (None if find_spec("ldap") else "python-ldap is not installed")):
            print(json.dumps({"source": kind, "left_out": absent}), flush=True)
            continue
        same &= measured(kind, full_scale=chosen.full_scale)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
