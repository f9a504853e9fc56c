"""What gates mean: the catalogue's meaning, the organization's edition of it, and what a protocol asks otherwise."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scheduler import catalogue
from scheduler.models import GateDefinition, Moment, Protocol, Scope, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from accounts.models import Organization

# What a value out of limits calls for, the mildest first. All but the first keep a gate from being met.
ACTIONS: Final = ("warn", "repeat", "stop_and_call")
TERMS: Final = ("severity", "at", "scope", "valid_hours", "override_roles", "patient_may", "limits")
# A name that nobody has described stops the start of its session, for everybody.
PLAIN: Final[dict[str, Any]] = {
    "severity": Severity.BLOCK.value,
    "at": [Moment.START.value],
    "scope": Scope.SESSION.value,
    "valid_hours": None,
    "override_roles": [],
    "patient_may": False,
    "limits": [],
}


@dataclass(frozen=True)
class Gate:
    """One gate as a session meets it; the fields are those of `GateDefinition`."""

    name: str
    rule: str
    severity: str
    at: tuple[str, ...]
    scope: str
    valid_hours: int | None
    override_roles: frozenset[str]
    patient_may: bool
    limits: tuple[dict[str, Any], ...]

    @property
    def blocks(self) -> bool:
        """Whether it stops the way while it is open."""
        return self.severity == Severity.BLOCK


@dataclass(frozen=True)
class OutOfLimits:
    """One value beyond a limit, and what that calls for."""

    measure: str
    value: float
    limit: float
    action: str


def name_of(entry: Any) -> str:
    """The name of a protocol's entry, which is a name or an object."""
    return str(entry if isinstance(entry, str) else entry["gate"])


def names(protocol: Protocol) -> list[str]:
    """The protocol's gates by name, in its order."""
    return [name_of(entry) for entry in protocol.gates]


def default(gate: str) -> dict[str, Any]:
    """What the catalogue says of a gate: `rule`, `sources` and the TERMS; `PLAIN` for a name that it has not got."""
    said = catalogue.book()["gates"].get(gate)
    if said is None:
        return {"rule": gate.replace("_", " ").capitalize(), "sources": [], **PLAIN}
    return {"rule": said["rule"], "sources": list(map(catalogue.publication, said["sources"])), **PLAIN, **said["gate"]}


def gates_of(protocols: Iterable[Protocol]) -> dict[UUID, tuple[Gate, ...]]:
    """Each protocol's gates in its order, resolved; one query for all of them."""
    wanted = {protocol.pk: protocol for protocol in protocols}
    rows: dict[UUID, dict[str, GateDefinition]] = defaultdict(dict)
    for row in GateDefinition.objects.filter(organization__in={each.organization_id for each in wanted.values()}):
        rows[row.organization_id][row.gate] = row
    return {pk: _resolved(protocol.gates, rows[protocol.organization_id]) for pk, protocol in wanted.items()}


def _resolved(entries: Sequence[Any], rows: Mapping[str, GateDefinition]) -> tuple[Gate, ...]:
    found = []
    for entry in entries:
        name = name_of(entry)
        terms = default(name)
        if name in rows:
            terms |= {term: getattr(rows[name], term) for term in ("rule", *TERMS)}
        if not isinstance(entry, str):
            terms |= entry
        found.append(_gate(name, terms))
    return tuple(found)


def _gate(name: str, terms: Mapping[str, Any]) -> Gate:
    return Gate(
        name=name,
        rule=terms["rule"],
        severity=terms["severity"],
        at=tuple(terms["at"]),
        scope=terms["scope"],
        valid_hours=terms["valid_hours"],
        override_roles=frozenset(terms["override_roles"]),
        patient_may=terms["patient_may"],
        limits=tuple(terms["limits"]),
    )


def out_of_limits(limits: Iterable[Mapping[str, Any]], values: Mapping[str, float]) -> list[OutOfLimits]:
    """For each measure the gravest limit that its value breaks."""
    worst: dict[str, OutOfLimits] = {}
    for limit in limits:
        value = values.get(limit["measure"])
        if value is None:
            continue
        edge = limit.get("at_least", limit.get("at_most"))
        beyond = value >= edge if "at_least" in limit else value <= edge
        found = worst.get(limit["measure"])
        if beyond and (found is None or ACTIONS.index(limit["action"]) > ACTIONS.index(found.action)):
            worst[limit["measure"]] = OutOfLimits(limit["measure"], value, edge, limit["action"])
    return list(worst.values())


def describe(organization: Organization, entries: Iterable[Any]) -> None:
    """Give each gate that a protocol names a definition of the organization, for the clinic to see and to edit."""
    GateDefinition.objects.bulk_create(
        [GateDefinition(organization=organization, gate=name, **default(name)) for name in map(name_of, entries)],
        ignore_conflicts=True,
    )


def measures() -> dict[str, dict[str, Any]]:
    """What can be measured: `{from, to, unit}` by name; values beyond `from` to `to` are no human's."""
    found: dict[str, dict[str, Any]] = catalogue.book()["measures"]
    return found
