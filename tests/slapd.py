"""An OpenLDAP server for the tests alone: in a folder of its own, on a free port of the loopback address."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.loopback_certificate import Certificate, certificate

__all__ = ["ADMIN", "PASSWORD", "READER", "SUFFIX", "Slapd", "missing", "slapd"]

SUFFIX: Final = "dc=example,dc=org"
ADMIN: Final = f"cn=admin,{SUFFIX}"
READER: Final = f"cn=reader,{SUFFIX}"
PASSWORD: Final = "only-on-loopback"

DEBIANS_LIMITS: Final = "size.soft=500 size.hard=unlimited size.pr=1000 size.prtotal=unlimited"
"""Debian's limit of 500 entries for who asks without pages; pages of at most 1,000, as many as there are."""

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0

_MODULES = Path("/usr/lib/ldap")
_SCHEMAS = Path("/etc/ldap/schema")

_CONFIGURATION = """\
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/nis.schema
include {schemas}/inetorgperson.schema
pidfile {folder}/slapd.pid
modulepath {modules}
moduleload back_mdb
moduleload memberof
moduleload syncprov
moduleload ppolicy
{tls}
sizelimit {limits}
database mdb
suffix "{suffix}"
rootdn "{admin}"
rootpw {password}
directory {folder}/database
maxsize 1073741824
dbnosync
index objectClass,entryUUID,entryCSN eq
index uid,mail,cn,member,memberOf,modifyTimestamp eq
overlay syncprov
syncprov-sessionlog 100000
overlay memberof
overlay ppolicy
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""

_TOP = f"""\
dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
o: Invented
dc: example

dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: {PASSWORD}

"""


@dataclass(frozen=True)
class Slapd:
    """A server that runs. `url` is plain and offers StartTLS where the server has a certificate."""

    url: str
    ldaps_url: str | None
    ca_file: Path | None
    process_id: int
    suffix: str = SUFFIX
    admin_dn: str = ADMIN
    admin_password: str = PASSWORD
    reader_dn: str = READER
    reader_password: str = PASSWORD

    def apply(self, changes: str) -> None:
        """LDIF change records, in order, as the administrator. Raises RuntimeError with what the server said."""
        asked = ["ldapmodify", "-x", "-H", self.url, "-D", self.admin_dn, "-w", self.admin_password]
        done = subprocess.run(asked, input=changes, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"slapd refused a change: {done.stderr.strip()}")


def missing() -> str | None:
    """Why no server can be started here."""
    absent = [name for name in ("slapd", "slapadd", "ldapmodify") if _program(name) is None]
    absent += [str(folder) for folder in (_MODULES, _SCHEMAS) if not folder.is_dir()]
    return f"OpenLDAP is not installed ({', '.join(absent)} not found)" if absent else None


@contextmanager
def slapd(ldif: str | Iterable[str], *, tls: bool = False, limits: str = DEBIANS_LIMITS) -> Iterator[Slapd]:
    """Serve `SUFFIX`, whose top entry is there, with the entries of an LDIF below it; gone afterwards.

    The LDIF may give operational attributes (entryUUID, modifyTimestamp). memberOf is kept for online changes alone,
    for slapadd knows no overlays. `limits` are of slapd.conf(5). Everybody reads everything but passwords. A renamed
    person stays in `member` under the old DN: there is no overlay refint.
    """
    folder = Path(tempfile.mkdtemp(prefix="usersync-slapd-"))
    try:
        made = certificate(folder, "localhost", "127.0.0.1") if tls else None
        (folder / "database").mkdir()
        configuration = folder / "slapd.conf"
        configuration.write_text(_configuration(folder, made, limits))
        _load(configuration, ldif)
        with _served(folder, configuration, made) as running:
            yield running
    finally:
        shutil.rmtree(folder)


def _configuration(folder: Path, made: Certificate | None, limits: str) -> str:
    keys = {"TLSCACertificateFile": "authority", "TLSCertificateFile": "chain", "TLSCertificateKeyFile": "key"}
    return _CONFIGURATION.format(
        folder=folder,
        modules=_MODULES,
        schemas=_SCHEMAS,
        limits=limits,
        suffix=SUFFIX,
        admin=ADMIN,
        password=PASSWORD,
        tls="\n".join(f"{key} {getattr(made, which)}" for key, which in keys.items()) if made else "",
    )


def _load(configuration: Path, ldif: str | Iterable[str]) -> None:
    data = configuration.parent / "data.ldif"
    with data.open("w", encoding="utf-8") as file:
        file.write(_TOP)
        file.writelines([ldif] if isinstance(ldif, str) else ldif)
    asked = [_found("slapadd"), "-q", "-f", str(configuration), "-l", str(data)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"slapadd refused the LDIF: {done.stderr.strip()}")


@contextmanager
def _served(folder: Path, configuration: Path, made: Certificate | None) -> Iterator[Slapd]:
    port, secure_port = _free_ports(2)
    url = f"ldap://127.0.0.1:{port}"
    ldaps_url = f"ldaps://127.0.0.1:{secure_port}" if made else None
    listening = " ".join(filter(None, [url, ldaps_url]))
    log = folder / "log"
    with log.open("wb") as output:
        # With a debug level slapd stays in the foreground, so that the process is ours to end.
        process = subprocess.Popen(
            [_found("slapd"), "-f", str(configuration), "-h", listening, "-d", "0"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(process, port, log)
        yield Slapd(url, ldaps_url, made.authority if made else None, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    last = time.monotonic() + START_SECONDS
    while time.monotonic() < last and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"slapd does not answer: {log.read_text(errors='replace').strip() or process.poll()}")


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _program(name: str) -> str | None:
    # Debian keeps servers out of the path of who is not root.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _found(name: str) -> str:
    path = _program(name)
    assert path is not None, missing()
    return path
