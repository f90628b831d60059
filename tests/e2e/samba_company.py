"""The invented company in a real domain controller, with a group of everybody, and sources that read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from connectors.sources.ldap import LdapSettings, LdapSource
from sandbox.company import Company
from sandbox.population import company as found_company
from tests.company_in_ad import groups_base, ldif, people_base, person_dn
from tests.company_ldif import entry
from tests.samba import AUDITOR, NAMING_CONTEXT, Samba, samba

__all__ = ["EVERYBODY", "PASSWORD_VARIABLE", "SambaCompany", "samba_company"]

EVERYBODY: Final = "everybody"
"""A group of all people."""
PASSWORD_VARIABLE: Final = "SAMBA_PASSWORD"
PEOPLE: Final = 1100
GROUPS: Final = 60


@dataclass(frozen=True)
class SambaCompany:
    server: Samba
    company: Company

    def settings(self, account: str = AUDITOR, **changed: Any) -> LdapSettings:
        """The password stands in the environment variable `PASSWORD_VARIABLE`."""
        server = self.server
        given: dict[str, Any] = {
            "product": "active-directory",
            "url": server.ldaps_url,
            "ca_file": server.ca_file,
            "bind_dn": server.account(account),
            "bind_password": f"env:{PASSWORD_VARIABLE}",
            "base": f"OU=Company,{server.suffix}",
        }
        return LdapSettings(**{**given, **changed})

    def source(self, account: str = AUDITOR, **changed: Any) -> LdapSource:
        return LdapSource(self.settings(account, **changed), waits=())


@contextmanager
def samba_company() -> Iterator[SambaCompany]:
    company = found_company(people=PEOPLE, groups=GROUPS)
    everybody = [person_dn(person, NAMING_CONTEXT) for person in company.people.values()]
    group = {"objectClass": ["group"], "sAMAccountName": [EVERYBODY], "member": everybody}
    records = [*ldif(company, NAMING_CONTEXT), entry(f"CN={EVERYBODY},{groups_base(NAMING_CONTEXT)}", group)]
    with samba(records) as server:
        assert people_base(server.suffix).endswith(f"OU=Company,{server.suffix}")
        yield SambaCompany(server, company)
