"""Changes of supply that may not leave a booked session without its chair, its people or an open site.

This room knows nothing of bookings. Whoever does (a room above) gives `watch` a function that says which bookings the
supply, as it stands, does not carry. A change that would add to them is refused, and nothing of it stays.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from accounts.models import Site
from accounts.refusals import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from accounts.models import User
    from scheduler.models import ChairClosure, SiteClosure, TimeOff

_watchers: list[Callable[[Site], set[UUID]]] = []
_openers: list[Callable[[TimeOff | ChairClosure | SiteClosure, User], UUID | None]] = []


def watch(stranded: Callable[[Site], set[UUID]]) -> None:
    """Have `stranded(site)`, the ids of sessions that the site's supply does not carry, asked around each change."""
    _watchers.append(stranded)


def mend_with(draft: Callable[[TimeOff | ChairClosure | SiteClosure, User], UUID | None]) -> None:
    """Have `draft(absence, who)` make the draft that mends what an absence does to bookings, and give its id."""
    _openers.append(draft)


def open_drafts(absence: TimeOff | ChairClosure | SiteClosure, user: User) -> UUID | None:
    """The draft that mends what this absence, recorded just now, does to bookings; None where it hits none.

    An absence is a fact and counts at once, so that nobody is booked into it; the sessions that it hits are never left
    silently, since they stand in the draft.
    """
    return next((found for draft in _openers if (found := draft(absence, user)) is not None), None)


def lock_site(site: UUID) -> Site:
    """Keep bookings and other changes of supply at the site out until this transaction ends; return the site.

    Bookings lock the site's row for sharing before they lock anything else of its, so this comes first here too.
    Raises NotFound where the site is gone.
    """
    found = Site.objects.select_for_update(no_key=True).filter(pk=site).first()
    if found is None:
        raise NotFound
    return found


@contextmanager
def keeping_bookings(site: UUID) -> Iterator[None]:
    """Change the site's supply in the block, inside a transaction.

    Raises Conflict `bookings_affected`, with the ids of `sessions`, where the change strands sessions that stood
    before it; those that were stranded already do not count against it.
    """
    before = _stranded(lock_site(site))
    yield
    affected = _stranded(Site.objects.get(pk=site)) - before
    if affected:
        raise Conflict(
            "bookings_affected",
            f"{len(affected)} booked sessions would be left without what they need. Move or cancel them first.",
            sessions=sorted(map(str, affected)),
        )


def _stranded(site: Site) -> set[UUID]:
    return {session for stranded in _watchers for session in stranded(site)}
