"""A domain controller for the tests alone: Samba, in a folder and on a loopback address of its own."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final
from uuid import UUID

from tests.loopback_certificate import Certificate, certificate

__all__ = ["AUDITOR", "NAMING_CONTEXT", "READER", "REPLICATOR", "Samba", "missing", "samba"]

NAMING_CONTEXT: Final = "DC=corp,DC=example,DC=org"
REALM: Final = "corp.example.org"
READER: Final = "reader"
"""May do what any account of the domain may."""
AUDITOR: Final = "auditor"
"""May see deleted objects as well."""
REPLICATOR: Final = "synchronizer"
"""Has the right Replicating Directory Changes."""

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0

_TOOL = Path("/usr/bin/samba-tool")
_PORTS: Final = (389, 636, 3268, 3269)

# Run by the Python that Samba's modules are made for. Members of a group come from the same LDIF.
_LOAD: Final = """
import json, sys
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB
import ldb

configuration, database, ldif, context, password = sys.argv[1:6]
parameters = LoadParm()
parameters.load(configuration)
directory = SamDB(url=database, lp=parameters, session_info=system_session(), flags=0)
directory.transaction_start()
for name in json.loads(sys.argv[6]):
    directory.newuser(name, password)
with open(ldif, encoding="utf-8") as file:
    directory.add_ldif(file.read())

def allow(dn, ace, name, *controls):
    sid = directory.search(context, expression=f"(sAMAccountName={name})", attrs=["objectSid"])[0]["objectSid"][0]
    sid = str(ndr_unpack(security.dom_sid, sid))
    found = directory.search(dn, ldb.SCOPE_BASE, attrs=["nTSecurityDescriptor"], controls=list(controls))[0]
    domain = security.dom_sid(directory.get_domain_sid())
    descriptor = ndr_unpack(security.descriptor, found["nTSecurityDescriptor"][0]).as_sddl(domain)
    head, _, tail = descriptor.partition("D:")
    flags, _, entries = tail.partition("(")
    changed = security.descriptor.from_sddl(f"{head}D:{flags}{ace.format(sid=sid)}({entries}", domain)
    message = ldb.Message(found.dn)
    replaced = ldb.MessageElement(ndr_pack(changed), ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor")
    message["nTSecurityDescriptor"] = replaced
    directory.modify(message, list(controls))

allow(context, "(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;{sid})", "synchronizer")
allow(f"CN=Deleted Objects,{context}", "(A;;LCRP;;;{sid})", "auditor", "show_deleted:1")
directory.transaction_commit()
"""


@dataclass
class Samba:
    """A domain controller that runs. `url` is plain and offers StartTLS; its accounts are `name@corp.example.org`."""

    address: str
    folder: Path
    configuration: Path
    password: str
    certificate: Certificate
    suffix: str = NAMING_CONTEXT
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"ldap://{self.address}"

    @property
    def ldaps_url(self) -> str:
        return f"ldaps://{self.address}"

    @property
    def ca_file(self) -> Path:
        return self.certificate.authority

    @staticmethod
    def account(name: str) -> str:
        return f"{name}@{REALM}"

    def apply(self, changes: str) -> None:
        """LDIF change records, in order, as the administrator. Raises RuntimeError with what the server said."""
        asked = ["ldapmodify", "-x", "-H", self.url, "-D", self.account("Administrator"), "-w", self.password]
        done = subprocess.run(asked, input=changes, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Samba refused a change: {done.stderr.strip()}")

    def ids(self, base: str) -> dict[str, str]:
        """The objectGUID of everything below a DN, by DN, as ldapsearch shows it."""
        shown = self._shown(base, "sub", "objectGUID")
        return {dn: str(UUID(bytes_le=base64.b64decode(value))) for dn, value in shown.items()}

    def number(self, dn: str) -> str:
        """Which primaryGroupID names a group: the last part of its objectSid."""
        (sid,) = self._shown(dn, "base", "objectSid").values()
        return str(int.from_bytes(base64.b64decode(sid)[-4:], "little"))

    def _shown(self, base: str, scope: str, attribute: str) -> dict[str, str]:
        """The value of an attribute in base64 by DN."""
        asked = ["ldapsearch", "-LLL", "-x", "-H", self.url, "-D", self.account("Administrator"), "-w", self.password]
        asked += ["-o", "ldif-wrap=no", "-E", "pr=500/noprompt", "-s", scope, "-b", base, "(objectClass=*)", attribute]
        done = subprocess.run(asked, check=True, capture_output=True, text=True)
        found = {}
        for record in done.stdout.split("\n\n"):
            rows = [row.partition(": ") for row in record.splitlines()]
            values = {name.rstrip(":"): value for name, _, value in rows}
            if attribute in values:
                found[values["dn"]] = values[attribute]
        return found

    def start(self) -> None:
        """Raises RuntimeError where the server does not come up."""
        log = self.folder / "log"
        options = ["-s", str(self.configuration), "-F", "-M", "single", "--no-process-group", "--debug-stdout"]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(_program("samba")), *options], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        last = time.monotonic() + START_SECONDS
        while time.monotonic() < last and self.process.poll() is None:
            if all(_answers(self.address, port) for port in _PORTS):
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"Samba does not answer: {log.read_text(errors='replace').strip()}")

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


@cache
def missing() -> str | None:
    """Why no domain controller can be started here."""
    absent = [name for name in ("samba", "samba-tool", "ldapmodify") if _program(name) is None]
    if absent:
        return f"Samba's domain controller is not installed ({', '.join(absent)} not found)"
    if os.geteuid() != 0:
        return "Samba serves LDAP on port 389, which only root may"
    asked = [_python(), "-c", "import samba.samdb, samba.provision"]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        return "Samba's domain controller is not installed (its Python modules not found)"
    return None


@contextmanager
def samba(ldif: Iterable[str]) -> Iterator[Samba]:
    """Serve a new domain `corp.example.org` with the entries of an LDIF; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="usersync-samba-"))
    try:
        made = _provision(folder)
        _load(made, ldif)
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder)


def _provision(folder: Path) -> Samba:
    address = _free_address()
    password = f"Aa1.{secrets.token_hex(8)}"
    domain = folder / "domain"
    asked = [
        str(_program("samba-tool")),
        *("domain", "provision", f"--realm={REALM.upper()}", "--domain=CORP", "--server-role=dc"),
        *("--dns-backend=NONE", f"--adminpass={password}", "--host-name=dc1", f"--host-ip={address}"),
        f"--targetdir={domain}",
        f"--option=interfaces={address}/8",
        "--option=bind interfaces only=yes",
        "--option=server services=ldap",
    ]
    _run(asked)
    made = certificate(folder, address, f"dc1.{REALM}")
    configuration = domain / "etc" / "smb.conf"
    ours = {
        # A simple bind without TLS is for the tests' own changes.
        "ldap server require strong auth": "no",
        "log file": str(folder / "log.samba"),
        "pid directory": str(folder),
        "ncalrpc dir": str(folder / "ncalrpc"),
        "tls cafile": str(made.authority),
        "tls certfile": str(made.chain),
        "tls keyfile": str(made.key),
    }
    lines = [line for line in configuration.read_text().splitlines() if line.partition("=")[0].strip() not in ours]
    at = lines.index("[global]") + 1
    lines[at:at] = [f"\t{name} = {value}" for name, value in ours.items()]
    configuration.write_text("\n".join(lines) + "\n")
    return Samba(address, folder, configuration, password, made)


def _load(made: Samba, ldif: Iterable[str]) -> None:
    """In one transaction, before the server starts: twenty times as fast as over LDAP."""
    data = made.folder / "data.ldif"
    with data.open("w", encoding="utf-8") as file:
        file.writelines(ldif)
    database = made.folder / "domain" / "private" / "sam.ldb"
    accounts = json.dumps([READER, AUDITOR, REPLICATOR])
    rest = [str(made.configuration), str(database), str(data), NAMING_CONTEXT, made.password, accounts]
    _run([_python(), "-c", _LOAD, *rest])


def _run(asked: list[str]) -> None:
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{asked[0]} failed: {(done.stderr or done.stdout).strip()[-2000:]}")


def _python() -> str:
    """The interpreter that samba-tool itself runs in."""
    with _TOOL.open(encoding="utf-8") as file:
        return file.readline().removeprefix("#!").strip()


def _program(name: str) -> str | None:
    # Debian keeps servers out of the path of who is not root.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def _free_address() -> str:
    """Of 127.0.0.0/8, so that two domain controllers do not meet."""
    while True:
        address = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}.{secrets.randbelow(250) + 2}"
        if not any(_answers(address, port) for port in _PORTS):
            return address
