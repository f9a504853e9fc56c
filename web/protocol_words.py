"""A protocol as people read it: one line a rule, under headings; and two of them side by side."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from scheduler.gates import gates_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scheduler.models import Protocol

MEASURES: Final = {
    "systolic": gettext_noop("Systolic pressure, mmHg"),
    "diastolic": gettext_noop("Diastolic pressure, mmHg"),
    "heart_rate": gettext_noop("Heart rate, per minute"),
    "spo2": gettext_noop("Oxygen saturation, %"),
    "respiratory_rate": gettext_noop("Breaths per minute"),
    "temperature": gettext_noop("Temperature, °C"),
}
ACTIONS: Final = {
    "warn": gettext_noop("is shown as a warning"),
    "repeat": gettext_noop("measure again"),
    "stop_and_call": gettext_noop("stop, and call"),
}
CHAIRS: Final = {
    "recliner": gettext_noop("Recliner"),
    "bed": gettext_noop("Bed"),
    "private_room": gettext_noop("Private room"),
}
CHANNELS: Final = {"email": gettext_noop("mail"), "sms": gettext_noop("text message")}
SHORT: Final = {"ecg": "ECG", "spo2": "SpO₂", "padss": "PADSS", "iv": "IV", "jc": "JC", "hbv": "HBV", "tb": "TB"}
FROM_WHAT: Final = {
    "discharge": gettext_noop("%(hours)s h after each visit"),
    "before_session": gettext_noop("%(hours)s h after the start of each visit"),
    "series_end": gettext_noop("%(hours)s h after the last visit"),
}


@dataclass(frozen=True)
class Line:
    """One rule: the heading that it stands under, what it is about, what it says; `key` is the same in each version."""

    key: str
    group: str
    label: str
    words: str


@dataclass(frozen=True)
class Pair:
    """One rule in two versions; "" where a version has no such rule."""

    group: str
    label: str
    before: str
    after: str

    @property
    def what(self) -> str:
        """What became of it: `same`, `new`, `gone` or `other`."""
        if self.before == self.after:
            return "same"
        return "new" if not self.before else "gone" if not self.after else "other"


def lines(protocol: Protocol) -> list[Line]:
    """Everything that the version says, in the order in which people read it: its rules, and what they rest on."""
    rests_on = [Line(f"source {text}", _("Sources"), _("Source"), text) for text in protocol.sources]
    return [*rules(protocol), *rests_on]


def rules(protocol: Protocol) -> list[Line]:
    """The rules of the version; a line that says nothing is left out."""
    gates = {gate.name: gate.rule for gate in gates_of([protocol])[protocol.pk]}
    found = [
        Line("name", _("What it is"), _("Name"), protocol.name),
        Line("indications", _("What it is"), _("For"), ", ".join(protocol.indications)),
        *(line for number, phase in enumerate(protocol.phases) for line in _phase(number, phase)),
        *(Line(f"gate {name}", _("Before it starts"), spoken(name), rule or "✓") for name, rule in gates.items()),
        *_watching(protocol.observation),
        *_going_home(protocol.discharge),
        *(
            Line(f"reminder {when}", _("Messages"), _("Reminder"), f"{when}: {ways}")
            for when, ways in map(_reminder, protocol.reminders)
        ),
        *(
            Line(f"ask {words}", _("Messages"), _("Check-in"), words)
            for words in (_check_in(each) for each in protocol.follow_ups)
        ),
    ]
    return [line for line in found if line.words]


def grouped(found: Iterable[Any]) -> list[tuple[str, list[Any]]]:
    """Lines or pairs under their headings."""
    return [(group, list(each)) for group, each in groupby(found, key=lambda line: line.group)]


def pairs(before: Protocol, after: Protocol) -> list[Pair]:
    """Both versions rule by rule, in the order of the later one; what only the earlier has stands after its heading."""
    old, new = ({line.key: line for line in lines(each)} for each in (before, after))
    order = sorted(new | old, key=_order(old, new))
    return [_pair(old.get(key), new.get(key)) for key in order]


def _order(old: Mapping[str, Line], new: Mapping[str, Line]) -> Any:
    groups = list(dict.fromkeys(line.group for line in (*new.values(), *old.values())))
    places = {key: place for place, key in enumerate([*new, *(key for key in old if key not in new)])}
    return lambda key: (groups.index((new.get(key) or old[key]).group), places[key])


def _pair(old: Line | None, new: Line | None) -> Pair:
    known = new or old
    assert known is not None
    return Pair(known.group, known.label, old.words if old else "", new.words if new else "")


def spoken(name: str) -> str:
    """A name of data as a person writes it: `no_driving` is "No driving", and what is short for something stays so."""
    words = [SHORT.get(word, word) for word in name.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def numbers(value: Any) -> str:
    """ "5", or "2, 3, 5" by ordinal; "–" for none."""
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _phase(number: int, phase: Mapping[str, Any]) -> Iterator[Line]:
    group = _("Phase %(number)s: %(name)s") % {"number": number + 1, "name": phase["name"].replace("_", " ")}
    minutes, chair = phase["minutes"], phase.get("chair") or {}
    count = phase.get("sessions")
    said = {
        _("Visits"): _("as many as are ordered") if count is None else str(count),
        _("When"): _spacing(phase["spacing"]),
        _("Minutes"): _("%(prepare)s to prepare, %(infuse)s of infusion, %(recover)s of recovery, %(turnover)s to tidy")
        % {name: numbers(minutes.get(name)) for name in ("prepare", "infuse", "recover", "turnover")},
        _("Nurse at the chair"): _("the first %(minutes)s minutes") % {"minutes": phase.get("hands_on_minutes", 15)},
        _("Points against a nurse’s most"): str(phase.get("acuity", "–")),
        _("Chair"): _chair(chair),
    }
    for label, words in said.items():
        yield Line(f"phase {number} {label}", group, label, words)


def _chair(chair: Mapping[str, Any]) -> str:
    kinds = _(" or ").join(_(CHAIRS[kind]) for kind in chair.get("kinds", ())) or _("any")
    features = ", ".join(spoken(feature) for feature in chair.get("features", ()))
    return f"{kinds}, {features}" if features else kinds


def _spacing(spacing: Mapping[str, Any]) -> str:
    values = {name: numbers(value) for name, value in spacing.items() if name != "first"}
    anchors = {
        "previous": _("%(target_days)s days after the visit before, %(min_days)s at least, %(max_days)s at most"),
        "series_start": _("on day %(target_days)s, up to %(early_days)s sooner or %(late_days)s later"),
        "cycle_start": _(
            "on day %(target_days)s of each %(cycle_days)s days, up to %(early_days)s sooner or %(late_days)s later"
        ),
    }
    usual = {"early_days": "0", "late_days": "0"}
    parts = [anchors[spacing["anchor"]] % (usual | values)]
    if spacing.get("first"):
        first = {name: numbers(value) for name, value in spacing["first"].items()}
        parts.append(_("the first one after %(target_days)s days (%(min_days)s to %(max_days)s)") % first)
    if spacing.get("max_span_days") is not None:
        parts.append(_("all within %(max_span_days)s days") % values)
    if spacing.get("late_policy"):
        moved = {"shift_chain": _("what comes late moves the rest"), "keep_anchor": _("what comes late moves nothing")}
        parts.append(moved[spacing["late_policy"]])
    return "; ".join(parts)


def _watching(rules: Mapping[str, Any]) -> Iterator[Line]:
    group = _("Watching")
    parts = {"infuse": _("during the infusion"), "recover": _("during recovery")}
    for step in rules.get("vitals", ()):
        since = step.get("from", 0)
        until = step.get("until")
        words = _("every %(every)s min %(part)s") % {"every": step["every"], "part": parts[step["during"]]}
        words += _(", from minute %(since)s") % {"since": since} if since else ""
        words += _(" to minute %(until)s") % {"until": until} if until is not None else ""
        yield Line(f"vitals {step['during']} {since}", group, _("Vital signs"), words)
    for limit in rules.get("limits", ()):
        edge = "at_least" if "at_least" in limit else "at_most"
        said = _("%(value)s or more: %(action)s") if edge == "at_least" else _("%(value)s or less: %(action)s")
        words = said % {"value": limit[edge], "action": _(ACTIONS[limit["action"]])}
        key = f"limit {limit['measure']} {edge} {limit['action']}"
        yield Line(key, group, _(MEASURES.get(limit["measure"], limit["measure"])), words)


def _going_home(rules: Mapping[str, Any]) -> Iterator[Line]:
    group = _("Going home")
    if rules.get("minimum_recovery_minutes"):
        least = {"minutes": numbers(rules["minimum_recovery_minutes"])}
        yield Line("home recovery", group, _("Recovery"), _("%(minutes)s minutes at least") % least)
    if rules.get("escort"):
        yield Line("home escort", group, _("Escort"), _("by name"))
    for score in rules.get("scores", ()):
        words = _("%(least)s or more") % {"least": score["minimum"]}
        yield Line(f"home {score['instrument']}", group, spoken(score["instrument"]), words)
    if rules.get("vitals_within_minutes"):
        within = {"minutes": rules["vitals_within_minutes"]}
        yield Line("home vitals", group, _("Vital signs"), _("none older than %(minutes)s minutes") % within)


def _reminder(entry: Mapping[str, Any]) -> tuple[str, str]:
    ways = ", ".join(_(CHANNELS[way]) for way in entry["channels"])
    if "hours_before" in entry:
        return _("%(hours)s h before") % {"hours": entry["hours_before"]}, ways
    days = ngettext("the day before at %(at)s", "%(days)s days before at %(at)s", entry["days_before"])
    return days % {"days": entry["days_before"], "at": entry["at"]}, ways


def _check_in(entry: Mapping[str, Any]) -> str:
    when = _(FROM_WHAT[entry.get("anchor", "discharge")]) % {"hours": entry["hours_after"]}
    return f"{entry['instrument']}, {when}"
