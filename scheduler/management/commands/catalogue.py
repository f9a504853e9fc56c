"""`manage.py catalogue`: load the catalogue of protocols into an organization as drafts, or print its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Organization
from accounts.refusals import NotFound
from scheduler import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.core.management.base import CommandParser


class Command(BaseCommand):
    """Loads drafts that a clinician of the organization then reads, changes and approves."""

    help = "Load the catalogue of protocols as drafts. Codes that the organization has are left alone."

    def add_arguments(self, parser: CommandParser) -> None:
        """Either an organization or --docs."""
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--organization", metavar="ID_OR_NAME", help="whose protocols they become")
        what.add_argument("--docs", action="store_true", help="print the catalogue as a page (docs/catalogue.md)")
        parser.add_argument(
            "--only", nargs="+", metavar="CODE", help="these only; the code of a row makes it a course of its own"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Load and show what was loaded, or print the page."""
        if options["docs"]:
            self.stdout.write(page(), ending="")
            return
        try:
            loaded = catalogue.load(_organization(options["organization"]), options["only"])
        except NotFound as error:
            raise CommandError(f"{error.detail} There are: {', '.join(_codes())}.") from None
        rows = [(each.protocol.code, each.protocol.name, _outcome(each)) for each in loaded]
        for code, name, outcome in [("code", "name", "outcome"), *rows]:
            self.stdout.write(f"{code:<18} {name:<70} {outcome}")
        made = sum(each.made for each in loaded)
        self.stdout.write(f"{made} drafts loaded, {len(loaded) - made} left alone. A clinician approves what is used.")


def _codes() -> list[str]:
    return list(dict.fromkeys([*catalogue.treatments(), *catalogue.book()["rows"]]))


def _outcome(each: catalogue.Loaded) -> str:
    if each.made:
        return "draft"
    return f"left alone: there is version {each.protocol.version}, {each.protocol.status}"


def _organization(id_or_name: str) -> Organization:
    found = Organization.objects.filter(name=id_or_name)
    if (key := _uuid(id_or_name)) is not None:
        found = found.union(Organization.objects.filter(pk=key))
    match list(found[:2]):
        case [organization]:
            return organization
        case []:
            raise CommandError("There is no organization with this id or name.")
        case _:
            raise CommandError("Several organizations have this name: give the id.")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


ANCHORS = {
    "previous": "the session before",
    "series_start": "the start of the series",
    "cycle_start": "the start of the cycle",
}
HEAD = """\
# The catalogue of protocols

Written by `manage.py catalogue --docs > docs/catalogue.md` from `scheduler/catalogue.json`; a test compares the two.

Not medical advice. `manage.py catalogue --organization ID_OR_NAME` loads these protocols as **drafts**; nothing here
can be booked before a clinician of the clinic has read and approved it. Ketamine for pain or mood is off-label.

A *row* is one phase of treatment as the sources tell it. A protocol is made of one or more rows, in order; with
`--only CODE`, a row is loaded as a course of its own. In the API, each line of a protocol's `sources` begins with the
code of the row that it speaks of. What is called a clinic default has no published figure: it is a proposal that each
clinic replaces by its own. What cannot be expressed stands with each row: the planner will not keep it, people must.

Days are calendar days, written least / wanted / most. Minutes are prepare / infuse / recover / turnover; a list goes
by the ordinal of the session in its phase, its last entry repeats. Acuity is 8 points divided by the patients whom a
nurse may watch at once, rounded up.
"""


def page() -> str:
    """The whole catalogue in Markdown."""
    book = catalogue.book()
    parts = [HEAD, "## Protocols\n", _protocols(), "## All protocols\n"]
    parts.append(_bullets([*book["general"]["evidence"], *book["general"]["not_sayable"]]))
    parts.append("## Rows\n")
    parts += [_row(code, row) for code, row in book["rows"].items()]
    parts += ["## Follow-up plans\n", *(_plan(name, plan) for name, plan in book["follow_up_plans"].items())]
    parts += ["## Watching and going home\n", *(_day_plan(name, plan) for name, plan in book["day_plans"].items())]
    parts += ["## Gates\n", _gates(), "## Sources\n"]
    parts.append(_bullets(catalogue.publication(key) for key in book["sources"]))
    return "\n".join(parts)


def _protocols() -> str:
    rows: list[Sequence[str]] = []
    for treatment in catalogue.book()["treatments"]:
        values = catalogue.entry(treatment["code"])
        hours = ", ".join(str(reminder["hours_before"]) for reminder in values["reminders"])
        unsaid = " ".join(treatment["not_sayable"])
        rows.append((treatment["code"], values["name"], ", ".join(treatment["rows"]), hours, unsaid))
    return _table(("code", "name", "rows", "reminders, hours before", "cannot be expressed"), rows)


def _row(code: str, row: dict[str, Any]) -> str:
    phase = row["phase"]
    minutes = " / ".join(str(phase["minutes"][name]) for name in ("prepare", "infuse", "recover", "turnover"))
    chair = " or ".join(phase["chair"]["kinds"]) + "".join(f" with {name}" for name in phase["chair"]["features"])
    sessions = "open" if phase["sessions"] is None else str(phase["sessions"])
    facts = (phase["name"], sessions, _spacing(phase.get("spacing")), minutes, chair, str(phase["acuity"]))
    lines = [
        *row["basis"],
        f"Clinic default, no published figure: {row['clinic_default']}",
        *(f"Cannot be expressed: {item}" for item in row["not_sayable"]),
        f"Gates: {', '.join(row['gates'])}.",
        f"Follow-up plan: {row['follow_up_plan']}. Watching: {row['day_plan']}. Sources: {', '.join(row['sources'])}.",
    ]
    head = f"### {code}\n\n{row['name']}. For: {', '.join(row['indications'])}.\n\n"
    return head + _table(("phase", "sessions", "days", "minutes", "chair", "acuity"), [facts]) + "\n" + _bullets(lines)


def _spacing(spacing: dict[str, Any] | None) -> str:
    if spacing is None:
        return "none: one session"
    match spacing["anchor"]:
        case "previous":
            text = f"{_days(spacing)} after {ANCHORS['previous']}"
        case "series_start":
            text = f"days {spacing['target_days']} of the series, {_slack(spacing)}"
        case _:
            text = f"days {spacing['target_days']} of a cycle of {spacing['cycle_days']}, {_slack(spacing)}"
            text += f"; a cycle {_slack(spacing, 'cycle_')}"
    if "first" in spacing:
        text += f"; the first {_days(spacing['first'])} after {ANCHORS[spacing['first']['anchor']]}"
    if "max_span_days" in spacing:
        text += f"; all within {spacing['max_span_days']} days"
    return text + (f"; late: {spacing['late_policy']}" if "late_policy" in spacing else "")


def _slack(spacing: dict[str, Any], of: str = "") -> str:
    return f"{spacing[f'{of}early_days']} early, {spacing[f'{of}late_days']} late"


def _days(rule: dict[str, Any]) -> str:
    return " / ".join(str(rule[name]) for name in ("min_days", "target_days", "max_days"))


def _plan(name: str, plan: dict[str, Any]) -> str:
    asked = ", ".join(f"{each['instrument']} at {each['hours_after']} h" for each in plan["follow_ups"])
    return f"### {name}\n\n" + _bullets([f"After each discharge: {asked}.", plan["evidence"], plan["missing"]])


def _day_plan(name: str, plan: dict[str, Any]) -> str:
    rules, leaving = plan["observation"], plan["discharge"]
    steps = "; ".join(
        f"every {step['every']} min of {step['during']} from {step['from']}"
        + ("" if step["until"] is None else f" until {step['until']}")
        for step in rules["vitals"]
    )
    lines = [f"Vital signs: {steps}.", *_limits(rules["limits"])]
    lines.append(f"Recovery of at least {leaving['minimum_recovery_minutes']} min.")
    scores = " or ".join(f"{score['instrument']} {score['minimum']}" for score in leaving["scores"])
    lines += [f"To leave: {scores}, a named escort."] if scores else []
    return f"### {name}\n\n" + _bullets([*lines, plan["evidence"]])


def _limits(limits: Sequence[dict[str, Any]]) -> list[str]:
    told = [
        f"{each['measure']} {'at least' if 'at_least' in each else 'at most'} "
        f"{each.get('at_least', each.get('at_most'))}: {each['action']}"
        for each in limits
    ]
    return [f"Limits: {'; '.join(told)}."] if told else []


def _gates() -> str:
    rows = []
    for name, gate in catalogue.book()["gates"].items():
        terms = gate["gate"]
        holds = f"{terms['scope']}" + ("" if terms["valid_hours"] is None else f", {terms['valid_hours']} h")
        passing = ", ".join(terms["override_roles"]) or "nobody"
        sources = ", ".join(gate["sources"]) or "none"
        rows.append((name, gate["rule"], terms["severity"], holds, passing, gate["limits"], sources))
    return _table(("gate", "what must be true", "severity", "holds for", "who may pass it", "figures", "sources"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))


def _bullets(lines: Iterable[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)
