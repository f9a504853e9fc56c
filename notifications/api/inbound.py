"""The carrier's calls to us: texts from patients, and what became of ours. Believed by their signature alone.

The signature is over the public address from the settings, since what a request says of its own host is anybody's word.
Twilio's signature holds no time, so a call that comes again is known by the carrier's id and by states that only move
forward.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from uuid import UUID
from xml.sax.saxutils import escape

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from accounts import clock
from accounts.http.base import ApiView
from accounts.refusals import Invalid, NotSignedIn
from notifications import delivered, inbound, mail_words
from notifications.channels import twilio

if TYPE_CHECKING:
    from rest_framework.request import Request

logger = logging.getLogger(__name__)

FIELDS_AT_MOST = 100
SIGNATURE = OpenApiParameter("X-Twilio-Signature", {"type": "string"}, OpenApiParameter.HEADER, required=True)
FORM = "application/x-www-form-urlencoded"


class CarrierView(ApiView):
    """A form that Twilio has signed; 401 for any other."""

    public = True
    replayable = False
    authentication_classes: Any = ()
    also_answers = frozenset({"401"})
    media_type = FORM
    form: dict[str, list[str]]

    def _read(self, request: Request) -> None:
        raw = request._request.body
        try:
            self.form = parse_qs(raw.decode(), keep_blank_values=True, max_num_fields=FIELDS_AT_MOST)
        except ValueError:
            raise Invalid("", "unreadable", "This is not a form in UTF-8.") from None
        given = request.META.get("HTTP_X_TWILIO_SIGNATURE", "")
        if not twilio.is_genuine(given, f"{settings.PUBLIC_URL}{request.get_full_path()}", self.form):
            raise NotSignedIn("bad_signature", "The signature is missing or not the carrier's.")

    def value(self, name: str) -> str:
        """One field of the form, without what no database keeps; "" where it is missing."""
        return self.form.get(name, [""])[0].replace("\0", "")


class TextView(CarrierView):
    """Texts that come in."""

    @extend_schema(
        operation_id="inbound_sms",
        tags=["inbound"],
        parameters=[SIGNATURE],
        request={FORM: OpenApiTypes.OBJECT},
        responses={(200, "text/xml"): OpenApiTypes.STR},
        auth=[],
    )
    def post(self, request: Request) -> HttpResponse:
        """A patient's text: `C` confirms, `R` asks for another time, `STOP`, `START`, `HELP`. Answered in TwiML."""
        sid, number = self.value("MessageSid") or self.value("SmsSid"), self.value("From")
        if not sid or not number or len(sid) > 64:
            raise Invalid("/MessageSid", "required", "A text has an id and a sender.")
        # Where Twilio answers STOP, START and HELP by itself it says so.
        answer = inbound.receive(sid, number, self.value("Body"), clock.now(), answered=bool(self.value("OptOutType")))
        said = f"<Message>{escape(answer)}</Message>" if answer else ""
        return HttpResponse(
            f'<?xml version="1.0" encoding="UTF-8"?><Response>{said}</Response>', content_type="text/xml; charset=utf-8"
        )


class StatusView(CarrierView):
    """What became of texts of ours."""

    @extend_schema(
        operation_id="inbound_sms_status",
        tags=["inbound"],
        parameters=[SIGNATURE, OpenApiParameter("id", {"type": "string", "format": "uuid"}, OpenApiParameter.PATH)],
        request={FORM: OpenApiTypes.OBJECT},
        responses={204: None},
        auth=[],
    )
    def post(self, request: Request, pk: str) -> Response:
        """What became of the message with this id. What is late, known already or about no message of ours changes
        nothing.
        """
        error = self.value("ErrorCode")
        code = int(error) if error.isascii() and error.isdigit() and len(error) < 7 else None
        if not delivered.take(UUID(pk), self.value("MessageStatus"), code):
            logger.info("the carrier's word about message %s changes nothing", pk)
        return Response(status=204)


class MailView(ApiView):
    """What became of mails of ours."""

    public = True
    replayable = False
    authentication_classes: Any = ()
    also_answers = frozenset({"401"})
    told: list[tuple[str, str]]

    def _read(self, request: Request) -> None:
        self.told = mail_words.read(request._request)

    @extend_schema(
        operation_id="inbound_mail",
        tags=["inbound"],
        request=OpenApiTypes.OBJECT,
        responses={204: None},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """What the mail provider's webhook says: a mail bounced, arrived, or was unwanted. Its secret comes as the
        password of HTTP basic authentication. What is late, known already or about no mail of ours changes nothing.
        """
        for reference, said in self.told:
            mail_words.take(reference, said)
        return Response(status=204)
