"""Articles of official accounts: drafted from a template, looked at on a telephone, published."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, re_path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from campaigns.admin.wechat_parts import official_accounts, tried
from campaigns.models import Article, ChannelAccount, Template
from campaigns.wechat import article_pictures, articles, publications
from campaigns.wechat.articles import NoArticle
from crm.admin.lists import ListAdmin, column

LABELS = {"draft": "info", "publishing": "primary", "published": "success", "failed": "danger"}


class ArticleForm(forms.ModelForm):  # type: ignore[type-arg]
    """Of which template and language an article is made, who wrote it, and its cover."""

    account = forms.ModelChoiceField(ChannelAccount.objects.none(), label=_("Account"), widget=UnfoldAdminSelectWidget)
    template = forms.ModelChoiceField(
        Template.objects.none(),
        label=_("Template"),
        widget=UnfoldAdminSelectWidget,
        help_text=_("One that has an article in it; its current version is drafted."),
    )
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget)
    author = forms.CharField(label=_("Author"), max_length=16, required=False, widget=UnfoldAdminTextInputWidget)
    picture = forms.FileField(
        label=_("Cover"),
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text=_("JPEG or PNG, 10 MB at most. Empty: the text's first picture."),
    )

    class Meta:
        model = Article
        fields = ("account", "language", "author")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "account" not in self.fields:
            return
        self.fields["account"].queryset = official_accounts()  # type: ignore[attr-defined]
        self.fields["account"].initial = official_accounts().first()
        offered = Template.objects.filter(archived_at=None, current__forms__has_key="wechat").order_by("name")
        self.fields["template"].queryset = offered  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Draft it last of all, so that what the platform refuses is said where it was written."""
        told: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return told
        file = told.get("picture")
        if file and file.size > article_pictures.LARGEST_COVER:
            raise forms.ValidationError(gettext("A cover has 10 MB at most."))
        try:
            self.made = articles.draft(
                told["account"],
                told["template"].current,
                told["language"],
                author=told["author"],
                cover=file.read() if file else b"",
                now=timezone.now(),
            )
        except NoArticle as error:
            raise forms.ValidationError(str(error)) from error
        return told

    def _post_clean(self) -> None:
        """Leave the row as :func:`campaigns.wechat.articles.draft` made it."""


@admin.register(Article)
class ArticleAdmin(ListAdmin):
    """Articles; to send one to followers is a campaign's."""

    form = ArticleForm
    change_form_template = "zhiyin/wechat/article.html"
    list_display = ("title", "account", "language_name", "status_label", "author", "made_at", "published_at")
    list_filter = (("account", RelatedDropdownFilter), ("status", ChoicesDropdownFilter))
    list_select_related = ("account",)
    search_fields = ("title",)
    ordering = ("-pk",)
    nothing_yet = _("Write a template with an article for WeChat, and draft it here.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            re_path(
                r"^(?P<pk>\d+)/(?P<verb>preview|publish|ask|redraft)/$",
                view(self.do_view),
                name="campaigns_article_do",
            ),
            path("<int:pk>/page/", view(self.page_view), name="campaigns_article_page"),
            *super().get_urls(),
        ]

    @column(_("language"), ordering="language")
    def language_name(self, one: Article) -> str:
        return dict(settings.LANGUAGES).get(one.language, one.language)

    @column(_("status"), ordering="status", label=LABELS)
    def status_label(self, one: Article) -> tuple[str, str]:
        return one.status, one.get_status_display()

    def get_fields(self, request: HttpRequest, obj: Article | None = None) -> Any:
        return ("account", "template", "language", "author", "picture") if obj is None else ()

    def has_delete_permission(self, request: HttpRequest, obj: Article | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Article | None = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def save_model(self, request: HttpRequest, obj: Article, form: Any, change: bool) -> None:
        Article.objects.filter(pk=form.made.pk).update(made_by_id=request.user.pk)
        obj.pk, obj._state.adding = form.made.pk, False
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: Article, post_url_continue: Any = None) -> HttpResponse:
        messages.success(request, gettext("The draft lies at the platform. Look at it on a telephone first."))
        return redirect("admin:campaigns_article_change", obj.pk)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        one = self.get_object(request, object_id)
        facts = {}
        if isinstance(one, Article):
            facts = {"article": one, "tone": {"published": "good", "failed": "bad"}.get(one.status, "accent")}
            facts |= {"may_change": request.user.has_perm("campaigns.change_article"), "show_save": False}
        return super().change_view(request, object_id, form_url, facts | (extra_context or {}))

    def page_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the text as it was drafted, in a frame that runs nothing."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        one = get_object_or_404(Article.objects.select_related("version"), pk=pk)
        try:
            text = articles.written(one.version, one.language)["html"]
        except NoArticle as error:
            text = str(error)
        answer = HttpResponse(f'<!doctype html><meta charset="utf-8"><base target="_blank">{text}')
        answer["Content-Security-Policy"] = (
            "sandbox; default-src 'none'; img-src https: data:; style-src 'unsafe-inline'"
        )
        answer["X-Frame-Options"] = "SAMEORIGIN"
        return answer

    @method_decorator(require_POST)
    def do_view(self, request: HttpRequest, pk: str, verb: str) -> HttpResponse:
        """Send a preview, publish, ask what became of it, or draft the text anew."""
        if not request.user.has_perm("campaigns.change_article"):
            raise PermissionDenied
        one = get_object_or_404(Article.objects.select_related("account", "version"), pk=pk)
        now, to = timezone.now(), request.POST.get("to", "")
        verbs: dict[str, tuple[Callable[[], object], str]] = {
            "preview": (lambda: articles.preview(one, to), gettext("It is on that telephone within seconds.")),
            "publish": (
                lambda: publications.publish(one, now),
                gettext("The platform looks at it, and publishes it then."),
            ),
            "ask": (lambda: publications.ask(one, now), gettext("Asked.")),
            "redraft": (
                lambda: articles.draft(one.account, one.version, one.language, author=one.author, now=now),
                gettext("The draft was put there anew."),
            ),
        }
        do, said = verbs[verb]
        if tried(request, do, said, refused=NoArticle):
            self.log_change(request, one, verb)
        return redirect("admin:campaigns_article_change", pk)
