"""What the API says of a bad value, in the words and the language of who reads a page."""

from __future__ import annotations

import re
from typing import Final

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

# By what stands in the API's own sentence; %(a)s and so on are its numbers in their order.
SAID: Final = (
    (r"this field is required", _("This is needed.")),
    (r"must be from (\d+) to (\d+)", _("From %(a)s to %(b)s.")),
    (r"must be a whole number.*", _("A whole number.")),
    (r"must be a multiple of (\d+)", _("In steps of %(a)s.")),
    (r"at most (\d+) .*", _("At most %(a)s.")),
    (r"the most \((\d+)\) is below the least \((\d+)\)", _("The most, %(a)s, is below the least, %(b)s.")),
    (r"(\d+) is not from (\d+) to (\d+)", _("%(a)s is not between the least, %(b)s, and the most, %(c)s.")),
    (r"(?:the series|a cycle) starts on day 0", _("The first day is 0.")),
    (r"day 0 belongs to the first phase", _("Day 0 belongs to the first phase.")),
    (r"targets must ascend day by day", _("Each day comes after the one before.")),
    (r"every session needs a target of its own", _("Each visit needs a day of its own.")),
    (r"the cycle must be longer than (\d+) days", _("The cycle must be longer than %(a)s days.")),
    (r"only the last phase may be open-ended", _("Only the last phase may leave open how many visits it has.")),
    (r"a phase of several sessions needs a spacing", _("One visit: add a phase with days between for several.")),
    (r"must be at most prepare and infuse together", _("At most the minutes to prepare and of infusion together.")),
    (r"a session with its turnover cannot be longer than a day", _("A visit cannot be longer than a day.")),
    (r"no ascending days keep this spacing", _("No days whatever keep these rules.")),
    (r"the sessions cannot all fall within so few days", _("The visits do not fit within so few days.")),
    (r"must be a text of 1 to 100 printable characters", _("Words of 1 to 100 letters.")),
    (r"a protocol needs at least one phase", _("A protocol needs at least one phase.")),
    (r"A site closes after it opens\.", _("A site closes after it opens.")),
    (r"Two spans of one weekday overlap\.", _("Two spans of one weekday overlap.")),
    (r"The organization has a site of this name\.", _("The organization has a site of this name.")),
    (r"The site has a chair of this name\.", _("The site has a chair of this name.")),
    (r"There is a protocol with this code;.*", _("There is a protocol with this code: change that one instead.")),
    (r"Either hours_before, or days_before and at\.", _("Either hours before, or days before and a time.")),
    (r"How many hours before\?", _("How many hours before?")),
    (r"Give at_least or at_most\.", _("Say from which value on, or up to which: one of the two.")),
    (r"Two of these are for the same time\.", _("Two of these are for the same time.")),
    (r"This is not a phone number in .*", _("This is not a phone number. Try it with the country: +1 312 555 0142.")),
    (r"(\d+) booked sessions would .*", _("Booked visits would be left without what they need: %(a)s.")),
)


def plain(detail: str) -> str:
    """The sentence of a fault as a page says it; one that is not known is said as it is."""
    for pattern, words in SAID:
        found = re.fullmatch(pattern, detail)
        if found is not None:
            return gettext(words) % dict(zip("abc", found.groups(), strict=False))
    return detail
