"""A year of a site's waitlist, simulated: how many freed places are taken, how soon, by how many offers.

The site and its people are `benchmarks/waiting.py`. What must never happen is counted by SQL that asks no code of ours.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from random import Random
from statistics import median
from typing import TYPE_CHECKING

from django.db import connection

from benchmarks.common import percentile, say
from benchmarks.waiting import ACCEPTED, CANCELLED, CHAIRS, MINUTE, WINDOW, Year
from scheduler.walltime import DAY
from sessions.models import EntryStatus, Offer, OfferStatus, WaitlistEntry
from tests.fast_clock import fast_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.common import Servers

# Clocks go back and forward within it.
WEEKS = 52

# Each counts what must not be; none asks the code that made it.
NEVER = {
    "offers accepted twice": """
        SELECT (SELECT count(*) FROM (SELECT FROM infusion_sessions_offer WHERE status = 'accepted'
                                      GROUP BY entry_id HAVING count(*) > 1) twice)
             + (SELECT count(*) FROM infusion_sessions_offer o WHERE status = 'accepted' AND 1 <> CASE
                WHEN plan_id IS NULL THEN (SELECT count(*) FROM infusion_sessions_sessionevent e
                    WHERE e.session_id = o.session_id AND kind = 'rescheduled')
                ELSE (SELECT count(*) FROM infusion_sessions_series s WHERE s.patient_id = o.patient_id) END)""",
    "places doubled": """
        SELECT count(*) FROM infusion_sessions_session a JOIN infusion_sessions_session b
        ON a.id < b.id AND a.status <> 'cancelled' AND b.status <> 'cancelled' AND (
           (a.chair_id = b.chair_id AND tstzrange(a.start, a.turnover_end) && tstzrange(b.start, b.turnover_end))
        OR (a.patient_id = b.patient_id AND tstzrange(a.start, a."end") && tstzrange(b.start, b."end"))
        OR (a.nurse_id = b.nurse_id
            AND tstzrange(a.start, a.hands_on_until) && tstzrange(b.start, b.hands_on_until)))""",
    "in hours of rest": """
        SELECT count(*) FROM infusion_sessions_offer o JOIN accounts_site s ON s.id = o.site_id,
        LATERAL (SELECT (o.created_at AT TIME ZONE s.time_zone)::time AS at) wall
        WHERE wall.at >= s.offers_rest_from OR wall.at < s.offers_rest_until""",
    "beyond a person's day": """
        SELECT count(*) FROM (SELECT FROM infusion_sessions_offer o JOIN accounts_site s ON s.id = o.site_id
        GROUP BY patient_id, s.offers_a_day, (o.created_at AT TIME ZONE s.time_zone)::date
        HAVING count(*) > s.offers_a_day) beyond""",
    "too many at once": """
        SELECT count(*) FROM infusion_sessions_offer o JOIN accounts_site s ON s.id = o.site_id
        WHERE s.offers_at_once < (SELECT count(*) FROM infusion_sessions_offer b
            WHERE b.site_id = o.site_id AND b.start < o."end" AND o.start < b."end" AND b.created_at <= o.created_at
            AND (b.id = o.id OR o.created_at < CASE WHEN b.status IN ('open', 'expired') THEN b.expires_at
                ELSE coalesce(b.answered_at, b.created_at) END)
            AND (b.created_at < o.created_at OR b.id <= o.id))""",
    "within the lead time": """
        SELECT count(*) FROM infusion_sessions_offer o JOIN accounts_site s ON s.id = o.site_id
        WHERE o.start < o.created_at + s.offer_lead_hours * interval '1 hour'""",
}  # fmt: skip


def main(servers: Servers, quick: bool) -> None:
    """Let the time go by, tell what came of the freed places, refuse to tell of figures where something was wrong."""
    days = 3 if quick else 7 * WEEKS
    say(f"{CHAIRS} chairs, {days} days; of offers {ACCEPTED:.1%} are accepted, of visits {CANCELLED:.1%} cancelled")
    with fast_clock() as fast:
        year = Year(Random(5), fast)
        year.live(days, 6 if quick else WINDOW)
    tell_places(year)
    tell_offers(year)
    found = {}
    with connection.cursor() as cursor:
        for what, question in NEVER.items():
            cursor.execute(question)
            found[what] = cursor.fetchone()[0]
    say(f"\n{', '.join(f'{what} {number}' for what, number in found.items())}   target: 0 each")
    if any(found.values()):
        raise SystemExit("What must never happen has happened.")


def tell_places(year: Year) -> None:
    """Which of the places that came free in time to be offered were taken, and how long that took."""
    lead = timedelta(hours=year.site.offer_lead_hours)
    for by, name in (("cancellation", "cancelled"), ("offer", "given back by whoever came sooner")):
        came = [freed for freed in year.freed if freed.by == by]
        in_time = [freed for freed in came if freed.start - freed.since >= lead]
        offered = [freed for freed in in_time if freed.how == "offer"]
        booked = sum(freed.how == "booking" for freed in in_time)
        say(f"\nplaces {name}: {len(came)}, of which {len(in_time)} before the lead time")
        say(f"  fill rate {len(offered) / max(1, len(in_time)):.2f} by offers; {booked} more were booked anew")
        minutes = [(freed.taken - freed.since) / MINUTE for freed in offered if freed.taken]
        say(f"  minutes from freed to filled: {told(minutes)}")


def tell_offers(year: Year) -> None:
    """What came of offers and of wishes."""
    ends = Counter(Offer.objects.values_list("status", flat=True))
    made, taken = sum(ends.values()), ends[OfferStatus.ACCEPTED]
    say(f"\noffers: {made:,} in {year.ticks:,} ticks, {', '.join(f'{name} {n:,}' for name, n in sorted(ends.items()))}")
    say(f"  offers per fill {made / max(1, taken):.1f}; {1 / ACCEPTED:.1f} if none were in vain")
    say(f"  accepted {taken / max(1, made):.1%}; {year.refused['offer_gone']} more said yes when the place had gone")
    wishes = Counter(WaitlistEntry.objects.values_list("status", flat=True))
    rows = Offer.objects.filter(status=OfferStatus.ACCEPTED).select_related("entry")
    waits = [(offer.answered_at - offer.entry.created_at) / DAY for offer in rows if offer.answered_at]
    say(f"wishes: {sum(wishes.values())}, filled {wishes[EntryStatus.FILLED]}, expired {wishes[EntryStatus.EXPIRED]}")
    say(f"  days waited by who got a place: {told(waits)}")


def told(values: Sequence[float]) -> str:
    """Median, 90th percentile and the longest, or that there is nothing to tell of."""
    if not values:
        return "none"
    return f"median {median(values):,.1f}, p90 {percentile(values, 0.9):,.1f}, longest {max(values):,.1f}"
