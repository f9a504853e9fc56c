"""The sentences of why_words.py as data, and how counts, dates and chairs are said in each language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.wording import clock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

REASONS: Final = {
    "en": {
        "chair_kind": "You asked for {kind}.",
        "provider": "You asked for one particular person.",
        "time_windows": "You asked for times {windows}.",
        "weekdays": "You asked for {weekdays} only.",
        "earliest_date": "You cannot begin before {on}.",
        "latest_date": "The last session has to be on {on} at the latest.",
        "too_few_days": "There are not enough days to choose from.",
        "max_gap": "Session {session} has to follow session {after} within {days}.",
        "min_gap": "There have to be at least {least} between sessions {after} and {session}.",
        "window": "Session {session} has to be {from_day} to {to_day} days after session {after}.",
        "span": "Session {session} has to be within {days} of session {after}.",
        "patient_busy": "You have another appointment when session {session} could be.",
        "closures": "The clinic is closed when session {session} could be.",
        "opening_hours": "Session {session} takes {length} and has to be within opening hours.",
        "chair_need": "Session {session} needs {chair}.",
        "chairs": "No suitable chair is free for session {session}.",
        "nurses": "No nurse has time for session {session}.",
        "prescribers": "No prescriber is there for session {session}.",
        "bookings": "Other patients have the places that session {session} could have.",
    },
    "es": {
        "chair_kind": "Usted pidió {kind}.",
        "provider": "Usted pidió una persona en particular.",
        "time_windows": "Usted pidió horas {windows}.",
        "weekdays": "Usted pidió solo {weekdays}.",
        "earliest_date": "Usted no puede empezar antes del {on}.",
        "latest_date": "La última sesión tiene que ser a más tardar el {on}.",
        "too_few_days": "No hay suficientes días entre los que elegir.",
        "max_gap": "Entre la sesión {after} y la sesión {session} no pueden pasar más de {days}.",
        "min_gap": "Entre la sesión {after} y la sesión {session} tienen que pasar al menos {least}.",
        "window": "La sesión {session} tiene que ser de {from_day} a {to_day} días después de la sesión {after}.",
        "span": "Desde la sesión {after} hasta la sesión {session} no pueden pasar más de {days}.",
        "patient_busy": "Usted tiene otra cita cuando podría ser la sesión {session}.",
        "closures": "La clínica está cerrada cuando podría ser la sesión {session}.",
        "opening_hours": "La sesión {session} dura {length} y tiene que caber en el horario de apertura.",
        "chair_need": "La sesión {session} necesita {chair}.",
        "chairs": "Ningún lugar adecuado está libre para la sesión {session}.",
        "nurses": "Nadie de enfermería tiene tiempo para la sesión {session}.",
        "prescribers": "No hay médico presente para la sesión {session}.",
        "bookings": "Otros pacientes tienen los lugares que podría tener la sesión {session}.",
    },
}
FOR_STAFF: Final = {
    "en": {
        "chair_kind": "Wish: kind of chair.",
        "provider": "Wish: one nurse or prescriber.",
        "time_windows": "Wish: times of day.",
        "weekdays": "Wish: weekdays.",
        "earliest_date": "The request's earliest date.",
        "latest_date": "The request's latest date.",
        "too_few_days": "Too few days are left that could take a session at all.",
        "max_gap": "Protocol: at most {days} from session {after} to session {session}.",
        "min_gap": "Protocol: at least {least} from session {after} to session {session}.",
        "window": "Protocol: session {session} {from_day} to {to_day} days after session {after}.",
        "span": "Protocol: max_span_days of phase {phase}, for session {session}.",
        "patient_busy": "The patient's own other bookings, for session {session}.",
        "closures": "Closures of the site, for session {session}.",
        "opening_hours": "Opening hours, for session {session} ({length}, then turnover).",
        "chair_need": "Protocol: {chair} for session {session}.",
        "chairs": "Chairs and their closures, for session {session} ({length}, then turnover).",
        "nurses": "Nurses for session {session}: on duty from start to end, hands-on minutes, capacity, "
        "points ({points}).",
        "prescribers": "Prescribers on duty with room from infuse to the end of session {session}.",
        "bookings": "Sessions and holds already there, for session {session}.",
    },
    "es": {
        "chair_kind": "Deseo: tipo de lugar.",
        "provider": "Deseo: una persona de enfermería o un médico.",
        "time_windows": "Deseo: horas del día.",
        "weekdays": "Deseo: días de la semana.",
        "earliest_date": "La primera fecha de la solicitud.",
        "latest_date": "La última fecha de la solicitud.",
        "too_few_days": "Quedan muy pocos días en los que cabe una sesión.",
        "max_gap": "Protocolo: como máximo {days} de la sesión {after} a la sesión {session}.",
        "min_gap": "Protocolo: al menos {least} de la sesión {after} a la sesión {session}.",
        "window": "Protocolo: sesión {session} de {from_day} a {to_day} días después de la sesión {after}.",
        "span": "Protocolo: max_span_days de la fase {phase}, para la sesión {session}.",
        "patient_busy": "Las otras citas del paciente, para la sesión {session}.",
        "closures": "Cierres del centro, para la sesión {session}.",
        "opening_hours": "Horario de apertura, para la sesión {session} ({length}, más la preparación del lugar).",
        "chair_need": "Protocolo: {chair} para la sesión {session}.",
        "chairs": "Lugares y sus cierres, para la sesión {session} ({length}, más la preparación del lugar).",
        "nurses": "Enfermería para la sesión {session}: de turno de principio a fin, minutos con el paciente, "
        "capacidad, puntos ({points}).",
        "prescribers": "Médicos de turno con capacidad desde la infusión hasta el fin de la sesión {session}.",
        "bookings": "Sesiones y reservas que ya están, para la sesión {session}.",
    },
}
CHANGES: Final = {
    "en": {
        "chair_kind": "any suitable chair, not only {kind}",
        "until_time": "until {at}, {minutes} later",
        "from_time": "from {at}, {minutes} sooner",
        "any_time": "at any time of day",
        "weekdays": "{weekdays} too",
        "latest_date": "until {on}, {days} later",
        "earliest_date": "from {on}, {days} sooner",
        "provider": "any nurse and prescriber, not only the one asked for",
        "one_nurse_on": "one more nurse on {on}",
        "one_nurse_weekday": "one more nurse on {weekdays}",
        "one_nurse_every": "one more nurse on every day",
        "one_chair_on": "one chair more ({kind}) on {on}",
        "one_chair_weekday": "one chair more ({kind}) on {weekdays}",
        "one_chair_every": "one chair more ({kind}) on every day",
        "one_prescriber_on": "one more prescriber on {on}",
        "one_prescriber_weekday": "one more prescriber on {weekdays}",
        "one_prescriber_every": "one more prescriber on every day",
        "no_closure_on": "no closure on {on}",
        "no_closure_weekday": "no closure on {weekdays}",
        "no_closure_every": "no closure on every day",
        "max_gap": "if a clinician agrees, in {phase}: gaps up to {days} longer",
        "window": "if a clinician agrees, in {phase}: windows that end {days} later",
        "span": "if a clinician agrees, in {phase}: {days} more in all",
    },
    "es": {
        "chair_kind": "cualquier lugar adecuado, no solo {kind}",
        "until_time": "hasta las {at}, {minutes} más tarde",
        "from_time": "desde las {at}, {minutes} más temprano",
        "any_time": "a cualquier hora del día",
        "weekdays": "también {weekdays}",
        "latest_date": "hasta el {on}, {days} más tarde",
        "earliest_date": "desde el {on}, {days} antes",
        "provider": "cualquier persona de enfermería y cualquier médico, no solo la persona pedida",
        "one_nurse_on": "una persona más de enfermería el {on}",
        "one_nurse_weekday": "una persona más de enfermería {weekdays}",
        "one_nurse_every": "una persona más de enfermería todos los días",
        "one_chair_on": "un lugar más ({kind}) el {on}",
        "one_chair_weekday": "un lugar más ({kind}) {weekdays}",
        "one_chair_every": "un lugar más ({kind}) todos los días",
        "one_prescriber_on": "un médico más el {on}",
        "one_prescriber_weekday": "un médico más {weekdays}",
        "one_prescriber_every": "un médico más todos los días",
        "no_closure_on": "sin cierre el {on}",
        "no_closure_weekday": "sin cierre {weekdays}",
        "no_closure_every": "sin cierre ningún día",
        "max_gap": "si el equipo clínico está de acuerdo, en {phase}: hasta {days} más entre sesiones",
        "window": "si el equipo clínico está de acuerdo, en {phase}: plazos que terminan {days} más tarde",
        "span": "si el equipo clínico está de acuerdo, en {phase}: {days} más en total",
    },
}
JOINED: Final = {"en": ", and ", "es": ", y "}


class _Words(NamedTuple):
    day: tuple[str, str]
    hour: tuple[str, str]
    minute: tuple[str, str]
    both: str
    either: str
    between: str
    having: str
    any_chair: str
    chairs: dict[str, str]
    weekday: tuple[str, ...]
    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    date: str


_WORDS: Final = {
    "en": _Words(
        ("day", "days"),
        ("hour", "hours"),
        ("minute", "minutes"),
        " and ",
        " or ",
        "from {} to {}",
        "{} with {}",
        "a chair",
        {"recliner": "a recliner", "bed": "a bed", "private_room": "a private room"},
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"),
        (
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ),
        "{weekday} {day} {month} {year}",
    ),
    "es": _Words(
        ("día", "días"),
        ("hora", "horas"),
        ("minuto", "minutos"),
        " y ",
        " o ",
        "de {} a {}",
        "{} con {}",
        "un lugar",
        {"recliner": "un sillón reclinable", "bed": "una cama", "private_room": "una habitación privada"},
        ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
        ("los lunes", "los martes", "los miércoles", "los jueves", "los viernes", "los sábados", "los domingos"),
        (
            "enero",
            "febrero",
            "marzo",
            "abril",
            "mayo",
            "junio",
            "julio",
            "agosto",
            "septiembre",
            "octubre",
            "noviembre",
            "diciembre",
        ),
        "{weekday} {day} de {month} de {year}",
    ),
}


class Speech:
    """Counts, dates, times and chairs in one language."""

    def __init__(self, language: str) -> None:
        self.words = _WORDS[language]

    def days(self, number: int) -> str:
        """3 days."""
        return _count(number, self.words.day)

    def minutes(self, number: int) -> str:
        """35 minutes."""
        return _count(number, self.words.minute)

    def length(self, minutes: int) -> str:
        """2 hours 10 minutes."""
        hours, rest = divmod(minutes, 60)
        return " ".join([_count(hours, self.words.hour)] * (hours > 0) + [self.minutes(rest)] * (rest > 0))

    def date(self, on: date) -> str:
        """Tuesday 2 March 2027."""
        weekday, month = self.words.weekday[on.weekday()], self.words.months[on.month - 1]
        return self.words.date.format(weekday=weekday, day=on.day, month=month, year=on.year)

    def weekdays(self, weekdays: Iterable[int]) -> str:
        """Mondays, Tuesdays and Fridays."""
        return self._listed([self.words.weekdays[weekday] for weekday in sorted(weekdays)])

    def windows(self, windows: Iterable[tuple[int, int]]) -> str:
        """From 08:00 to 12:00 and from 14:00 to 16:00; minutes of the day."""
        return self._listed([self.words.between.format(clock(opens), clock(closes)) for opens, closes in windows])

    def chair(self, kind: str) -> str:
        """A recliner."""
        return self.words.chairs[kind]

    def chair_need(self, kinds: Iterable[str], features: Iterable[str]) -> str:
        """A bed or a private room with cardiac monitor; a clinic's own names of features stay as they are."""
        chair = self.words.either.join(self.chair(kind) for kind in sorted(kinds)) or self.words.any_chair
        has = ", ".join(sorted(feature.replace("_", " ") for feature in features))
        return self.words.having.format(chair, has) if has else chair

    def _listed(self, words: list[str]) -> str:
        return self.words.both.join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _count(number: int, noun: tuple[str, str]) -> str:
    return f"{number} {noun[number != 1]}"
