"""What is shown or sold."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.resources import Resource
from crm.models import Item


class ItemOut(serializers.ModelSerializer[Item]):
    attributes = serializers.DictField(read_only=True)

    class Meta:
        model = Item
        fields = [
            *("id", "kind", "code", "title", "body", "categories", "brand", "price", "currency", "attributes"),
            *("available_from", "available_to", "created_at", "updated_at"),
        ]
        read_only_fields = fields


class ItemQuestion(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(Item.Kind.choices, required=False)
    code = serializers.CharField(required=False, max_length=128, help_text="As the shop or the CMS calls it.")
    category = serializers.CharField(required=False, max_length=100, help_text="One of the item's, broad or narrow.")
    brand = serializers.CharField(required=False, max_length=100)
    available = serializers.ChoiceField(["true"], required=False, help_text="Only what is available now.")


class ItemViewSet(Resource):
    """Products, articles, activities: anything shown or sold."""

    scopes = {"list": "items:read", "retrieve": "items:read"}
    queryset = Item.objects.all()
    serializer_class = ItemOut

    @extend_schema(parameters=[ItemQuestion])
    def list(self, request: Request) -> Response:
        """All items that match, oldest first."""
        page = self.paginate_queryset(_matching(self.parameters(ItemQuestion)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One item."""
        return Response(self.get_serializer(get_object_or_404(self.get_queryset(), pk=pk)).data)


def _matching(asked: dict[str, Any]) -> QuerySet[Item]:
    items = Item.objects.available(timezone.now()) if asked.pop("available", None) else Item.objects.all()
    if category := asked.pop("category", None):
        items = items.filter(categories__contains=[category])
    return items.filter(**asked)
