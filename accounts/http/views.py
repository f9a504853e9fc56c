"""What rooms build their endpoints from."""

from __future__ import annotations

from accounts.http.base import ApiView
from accounts.http.records import (
    ChangeRecord,
    CreateRecord,
    ListRecords,
    PatientRecords,
    ReadRecord,
    RecordRouter,
    RecordViewSet,
    RemoveRecord,
)

__all__ = [
    "ApiView",
    "ChangeRecord",
    "CreateRecord",
    "ListRecords",
    "PatientRecords",
    "ReadRecord",
    "RecordRouter",
    "RecordViewSet",
    "RemoveRecord",
]
