"""What one would write first to take events in over HTTP, served beside our own API."""

import os
from typing import Any

from django.conf import settings

if "BENCH_DATABASE" in os.environ:
    settings.DATABASES["default"]["NAME"] = os.environ["BENCH_DATABASE"]

from django.core.wsgi import get_wsgi_application

get_wsgi_application()

from django.contrib.auth.models import AnonymousUser  # noqa: E402
from django.db import models, transaction  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.authentication import BaseAuthentication  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from crm.models import Item, Source  # noqa: E402


class PlainEvent(models.Model):
    """The same columns as ours, in a plain table."""

    message_id = models.CharField(max_length=200, unique=True)
    source = models.ForeignKey(Source, models.DO_NOTHING, db_constraint=False)
    profile_id = models.BigIntegerField()
    item_id = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=16)
    name = models.CharField(max_length=200)
    value = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    currency = models.CharField(max_length=3)
    quantity = models.DecimalField(max_digits=14, decimal_places=3, null=True)
    properties = models.JSONField()
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        app_label = "crm"
        indexes = [models.Index(fields=["profile_id", "occurred_at"])]

    objects: models.Manager["PlainEvent"]

    def __str__(self) -> str:
        return self.message_id


class PlainPerson(models.Model):
    """Who is meant by an id, with nothing sealed."""

    code = models.CharField(max_length=255, unique=True)
    profile_id = models.BigIntegerField()

    class Meta:
        app_label = "crm"

    objects: models.Manager["PlainPerson"]

    def __str__(self) -> str:
        return self.code


class PropertiesSerializer(serializers.Serializer[Any]):
    product_id = serializers.CharField(max_length=128)
    price = serializers.DecimalField(max_digits=14, decimal_places=2, min_value=0, required=False)
    quantity = serializers.DecimalField(max_digits=14, decimal_places=3, min_value=0, required=False)
    currency = serializers.CharField(max_length=3, required=False)


class EventSerializer(serializers.Serializer[Any]):
    type = serializers.ChoiceField(["track", "page", "identify"])
    messageId = serializers.CharField(max_length=200)  # noqa: N815
    userId = serializers.CharField(max_length=255)  # noqa: N815
    event = serializers.CharField(max_length=200)
    timestamp = serializers.DateTimeField()
    properties = PropertiesSerializer()


class KeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> Any:
        from base64 import b64decode

        write_key = b64decode(request.headers["Authorization"].split()[1]).decode().partition(":")[0]
        return AnonymousUser(), Source.objects.with_key(write_key).get()


class PlainIngestion(APIView):
    authentication_classes = [KeyAuthentication]
    permission_classes = []

    def post(self, request: Request) -> Response:
        body: Any = request.data
        serializer = EventSerializer(data=body["batch"], many=True)
        serializer.is_valid(raise_exception=True)
        told = serializer.validated_data
        now = timezone.now()
        with transaction.atomic():
            people = PlainPerson.objects.filter(code__in={one["userId"] for one in told})
            profiles = dict(people.values_list("code", "profile_id"))
            products = Item.objects.filter(code__in={one["properties"]["product_id"] for one in told})
            items = dict(products.values_list("code", "pk"))
            PlainEvent.objects.bulk_create(
                [
                    PlainEvent(
                        message_id=one["messageId"],
                        source=request.auth,
                        profile_id=profiles[one["userId"]],
                        item_id=items[one["properties"]["product_id"]],
                        kind="view",
                        name=one["event"],
                        value=one["properties"].get("price"),
                        currency=one["properties"].get("currency", ""),
                        quantity=one["properties"].get("quantity"),
                        properties=raw["properties"],
                        occurred_at=one["timestamp"],
                        received_at=now,
                    )
                    for one, raw in zip(told, body["batch"], strict=True)
                ],
                ignore_conflicts=True,
            )
        return Response({"success": True})


def application() -> Any:
    """Return our application with the yardstick beside it."""
    from config import urls

    urls.urlpatterns.append(path("yardstick", PlainIngestion.as_view()))
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    return get_wsgi_application()
