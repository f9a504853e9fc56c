"""Addresses of this room, below `/api/v1/`."""

from __future__ import annotations

from accounts.http.views import RecordRouter
from scheduler.api import gate_views, views

router = RecordRouter()
router.register("sites", views.SiteViewSet, basename="sites")
router.register("site-closures", views.SiteClosureViewSet, basename="site-closures")
router.register("chairs", views.ChairViewSet, basename="chairs")
router.register("chair-closures", views.ChairClosureViewSet, basename="chair-closures")
router.register("providers", views.ProviderViewSet, basename="providers")
router.register("availability-rules", views.AvailabilityRuleViewSet, basename="availability-rules")
router.register("time-off", views.TimeOffViewSet, basename="time-off")
router.register("protocols", views.ProtocolViewSet, basename="protocols")
router.register("gate-definitions", gate_views.GateDefinitionViewSet, basename="gate-definitions")

urlpatterns = router.urls
