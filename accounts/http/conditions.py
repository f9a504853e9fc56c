"""Conditional requests (RFC 9110, 13): the `ETag` of a record is its version, `If-Match` guards a change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from accounts.http.query import bad_parameter

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

_TAG: Final = r'(?:W/)?"[\x21\x23-\x7e]*"'
_TAGS: Final = re.compile(rf"\s*{_TAG}(?:\s*,\s*{_TAG})*\s*", re.ASCII)
_EACH: Final = re.compile(r'(W/)?"([^"]*)"')
LONGEST_HEADER = 1000


def etag(record: Any) -> str | None:
    """The strong tag of a record that has a `version`, else None."""
    version = getattr(record, "version", None)
    return None if version is None else f'"{version}"'


def expected_versions(if_match: str | None) -> frozenset[str] | None:
    """What `If-Match` names: None without the header, else the strong tags, without quotes.

    A weak tag and `*` match nothing here: who sends `If-Match` must have read the very version that they change.
    Anything that is no list of tags is a 400.
    """
    if if_match is None:
        return None
    if if_match.strip() == "*":
        return frozenset()
    if len(if_match) > LONGEST_HEADER or not _TAGS.fullmatch(if_match):
        raise bad_parameter("If-Match", "bad_if_match", 'If-Match takes tags as ETag gave them, such as "3".')
    return frozenset(tag for weak, tag in _EACH.findall(if_match) if not weak)


def unchanged(if_none_match: str | None, tag: str | None) -> bool:
    """Whether `If-None-Match` says that the caller already has this version (weak comparison, RFC 9110, 13.1.2)."""
    if if_none_match is None or tag is None or len(if_none_match) > LONGEST_HEADER:
        return False
    return if_none_match.strip() == "*" or tag.strip('"') in {each for _, each in _EACH.findall(if_none_match)}


def set_etag(response: HttpResponseBase, record: Any) -> None:
    """Put the record's tag on the answer, where it has one."""
    tag = etag(record)
    if tag is not None:
        response["ETag"] = tag
