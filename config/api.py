"""The REST API, one line for each resource."""

from rest_framework.routers import SimpleRouter

from campaigns.api.campaigns import CampaignViewSet
from campaigns.api.deliveries import DeliveryViewSet
from campaigns.api.journeys import JourneyViewSet
from campaigns.api.mini_program import MiniProgramViewSet
from campaigns.api.reports import ReportViewSet
from campaigns.api.segments import SegmentViewSet
from campaigns.api.sending import SendingViewSet
from campaigns.api.templates import TemplateViewSet
from campaigns.api.unsubscribes import UnsubscribeViewSet
from campaigns.api.webhooks import WebhookViewSet
from crm.api.consent_forms import ConsentFormViewSet
from crm.api.consents import ConsentViewSet
from crm.api.items import ItemViewSet
from crm.api.person_consents import NoticeViewSet, PersonConsentViewSet, PurposeViewSet
from crm.api.person_tokens import PersonTokenViewSet
from crm.api.privacy_requests import PrivacyRequestViewSet
from crm.api.profiles import ProfileViewSet
from mlengine.api.answers import AnswerViewSet
from mlengine.api.clusters import ClusterViewSet
from mlengine.api.companions import CompanionViewSet
from mlengine.api.figures import FigureViewSet
from mlengine.api.jobs import JobViewSet
from mlengine.api.models import ModelVersionViewSet

router = SimpleRouter()
router.register("profiles", ProfileViewSet, basename="profile")
router.register("profiles", AnswerViewSet, basename="answer")
router.register("profiles", PersonConsentViewSet, basename="person-consent")
router.register("consents", ConsentViewSet, basename="consent")
router.register("consent-forms", ConsentFormViewSet, basename="consent-form")
router.register("purposes", PurposeViewSet, basename="purpose")
router.register("notices", NoticeViewSet, basename="notice")
router.register("privacy-requests", PrivacyRequestViewSet, basename="privacy-request")
router.register("items", ItemViewSet, basename="item")
router.register("items", CompanionViewSet, basename="companion")
router.register("clusters", ClusterViewSet, basename="cluster")
router.register("figures", FigureViewSet, basename="figure")
router.register("models", ModelVersionViewSet, basename="model")
router.register("jobs", JobViewSet, basename="job")
router.register("person-tokens", PersonTokenViewSet, basename="person-token")
router.register("segments", SegmentViewSet, basename="segment")
router.register("templates", TemplateViewSet, basename="template")
router.register("campaigns", CampaignViewSet, basename="campaign")
router.register("journeys", JourneyViewSet, basename="journey")
router.register("deliveries", DeliveryViewSet, basename="delivery")
router.register("unsubscribes", UnsubscribeViewSet, basename="unsubscribe")
router.register("reports", ReportViewSet, basename="report")
router.register("sending", SendingViewSet, basename="sending")
router.register("mini-program", MiniProgramViewSet, basename="mini-program")
router.register("webhooks", WebhookViewSet, basename="webhook")
