"""The OpenAPI description: how to authenticate, and the errors that every operation can answer."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from config.scopes import SCOPES

ERRORS = {
    400: "A parameter or field is not valid.",
    401: "No token, or one that is not valid any longer.",
    403: "The token does not allow this.",
    404: "There is no such row.",
    406: "Answers are application/json only.",
    409: "The row is in a state that this does not fit.",
    413: "The request is too large.",
    415: "Requests are application/json only.",
    503: "It took too long, or another system did not answer, and it was given up.",
    429: "Too many requests; the header Retry-After says how many seconds to wait.",
}
ALWAYS = (400, 401, 403, 406, 429)
SLOW = ("/count/", "/members/")  # what may ask more of the database than it gives
PLATFORM = ("/login/", "/phone/")  # what asks WeChat
KEYED = ("/jobs/", "/segments/", "/templates/", "/campaigns/", "/unsubscribes/", "/go-on/", "/login/", "/phone/")


ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "field"],
            "properties": {
                "code": {"type": "string", "description": "For programs."},
                "message": {"type": "string", "description": "For people."},
                "field": {"type": "string", "nullable": True, "description": "What is meant, if anything."},
            },
        }
    },
}


class Description(AutoSchema):
    """An operation with the scope that it needs."""

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular's own has no arguments either
        said = super().get_description()
        action = getattr(self.view, "action", None)
        scope = getattr(self.view, "scopes", {}).get(action)
        person = getattr(self.view, "permissions", {}).get(action)
        told = f"{said}\n\nScope: `{scope}`" if scope else said
        return f"{told}\n\nActs for a member of staff who has the permission `{person}`." if person else told


def add_errors(result: dict[str, Any], **_facts: Any) -> dict[str, Any]:
    """Add the error shape, and to every operation the errors it can answer."""
    result["components"].setdefault("schemas", {})["Error"] = ERROR
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            answers = {str(code): {"description": ERRORS[code], "content": content} for code in _errors(path, method)}
            operation["responses"] |= answers
    return result


def _errors(path: str, method: str) -> list[int]:
    codes = list(ALWAYS)
    if "{" in path or path.endswith("/lookup/"):
        codes.append(404)
    if path.endswith(PLATFORM) or path.endswith("/reports/{id}/"):
        codes.append(503)
    if path.endswith(SLOW):
        codes += [409, 503]
    if method == "patch":
        codes += [409, 413, 415]
    if method == "post":
        codes += [409, 413, 415] if "{" in path or path.endswith(KEYED) or "/consents/" in path else [413, 415]
    return codes


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "config.authentication.BearerAuthentication"
    name = ["oauth2", "personToken"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        flow = {"tokenUrl": "/o/token/", "scopes": SCOPES}
        return [
            {"type": "oauth2", "flows": {"clientCredentials": flow}},
            {"type": "http", "scheme": "bearer", "description": "From POST /api/v1/person-tokens/."},
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[str]]]:
        view: Any = auto_schema.view
        scope = getattr(view, "scopes", {}).get(view.action)
        needed = [{"oauth2": [scope]}] if scope else []
        return [*needed, {"personToken": []}] if view.action in getattr(view, "purposes", {}) else needed
