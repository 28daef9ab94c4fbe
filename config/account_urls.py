"""Where staff log in and look after their second factor. What allauth has for sign-up and e-mail stays closed."""

from allauth.account import views
from django.urls import include, path

from config.accounts import SetUpApp, SetUpKey

urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", views.password_change, name="account_change_password"),
    path(
        "2fa/totp/activate/", SetUpApp.as_view(), name="mfa_activate_totp"
    ),  # before allauth's own of the same address
    path("2fa/webauthn/add/", SetUpKey.as_view(), name="mfa_add_webauthn"),
    path("2fa/", include("allauth.mfa.urls")),
]
