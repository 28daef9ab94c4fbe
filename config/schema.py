"""The OpenAPI description: how to authenticate, and the errors that every operation can answer."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from config.scopes import SCOPES


class ErrorDetail(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="For programs.")
    message = serializers.CharField(help_text="For people.")
    field = serializers.CharField(allow_null=True, help_text="The parameter or field that is meant, if any.")


class Error(serializers.Serializer[Any]):
    error = ErrorDetail()


ERRORS = {
    400: "A parameter or field is not valid.",
    401: "No token, or one that is not valid any longer.",
    403: "The token does not allow this.",
    404: "There is no such row.",
    406: "Answers are application/json only.",
    409: "The row is in a state that this does not fit.",
    413: "The request is too large.",
    415: "Requests are application/json only.",
    429: "Too many requests; the header Retry-After says how many seconds to wait.",
}
ALWAYS = (400, 401, 403, 406, 429)


class Description(AutoSchema):
    """An operation with its scope, and with the errors it can answer in the one shape."""

    def get_description(self) -> str:
        said = super().get_description()
        scope = getattr(self.view, "scopes", {}).get(getattr(self.view, "action", None))
        return f"{said}\n\nScope: `{scope}`" if scope else said

    def get_response_serializers(self) -> Any:
        found = super().get_response_serializers()
        answers = dict(found) if isinstance(found, dict) else {"201" if self.method == "POST" else "200": found}
        if self.method == "POST" and not isinstance(found, dict):
            answers = {"200": found}  # a question that travels in the body, or a job asked to stop
        return answers | {str(code): OpenApiResponse(Error, ERRORS[code]) for code in self._errors()}

    def _errors(self) -> list[int]:
        codes = list(ALWAYS)
        if "{" in self.path or self.path.endswith("/lookup/"):
            codes.append(404)
        if self.method == "POST":
            codes += [409, 413, 415] if "{" in self.path else [413, 415]
        return sorted(codes)


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "config.authentication.BearerAuthentication"
    name = ["oauth2", "personToken"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        flow = {"tokenUrl": "/o/token/", "scopes": SCOPES}
        return [
            {"type": "oauth2", "flows": {"clientCredentials": flow}},
            {"type": "http", "scheme": "bearer", "description": "From POST /api/v1/person-tokens/."},
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[str]]]:
        view = auto_schema.view
        scope = getattr(view, "scopes", {}).get(view.action)
        needed = [{"oauth2": [scope]}] if scope else []
        return [*needed, {"personToken": []}] if view.action in getattr(view, "purposes", {}) else needed
