"""Every address of the project."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from campaigns.webhooks import hook
from campaigns.wechat.hook import hook as wechat_hook
from config.api import router
from config.errors import not_found
from crm.pack_pages import pack_page

urlpatterns = [
    path("api/v1/", include(router.urls)),  # first: programs ask oftener than people, and each line before takes time
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("accounts/", include("config.account_urls")),
    path("admin/", admin.site.urls),
    path("o/", include("config.oauth")),
    path("", include("crm.ingestion_api")),
    path("", include("crm.preferences.pages")),
    path("hooks/<uuid:key>/", hook, name="hook"),
    path("hooks/wechat/<uuid:key>/", wechat_hook, name="wechat-hook"),
    path("", include("campaigns.responses.link_pages")),
    path("privacy/pack/<str:token>/", pack_page, name="reply-pack"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    re_path("^api/", csrf_exempt(not_found)),
]

handler500 = "config.errors.server_failed"
