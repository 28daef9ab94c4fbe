"""What goes with an item: under the item's own address."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.resources import Resource
from crm.models import Item
from mlengine import online, shelf
from mlengine.api.answers import RecommendedItem
from mlengine.because import at_least
from mlengine.models import ItemLink
from mlengine.shop_rules import RecommendationRule


class CompanionQuestion(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(
        ItemLink.Kind.values,
        default=ItemLink.Kind.TOGETHER.value,
        help_text="together: in one basket; similar: with the same people; next: looked at after it.",
    )
    k = serializers.IntegerField(min_value=1, max_value=20, default=10, help_text="How many, at most.")


class CompanionOut(serializers.Serializer[Any]):
    rank = serializers.IntegerField()
    item = RecommendedItem()
    value = serializers.FloatField(help_text="Comparable within one kind only.")
    people = serializers.IntegerField(help_text="At least so many did both, coarsely: 0, 10, 50, 100, 500 and so on.")


class CompanionsOut(serializers.Serializer[Any]):
    cutoff = serializers.DateTimeField(allow_null=True, help_text="What was known by then counted.")
    results = CompanionOut(many=True)


class CompanionViewSet(Resource):
    """Items that go with an item; the rules that marketing made are kept."""

    scopes = {"companions": "items:read"}
    queryset = Item.objects.all()
    pagination_class = None

    @extend_schema(parameters=[CompanionQuestion], responses=CompanionsOut)
    @action(detail=True)
    def companions(self, request: Request, pk: str) -> Response:
        """What goes with an item, the strongest first: items that are available now."""
        asked, item = self.parameters(CompanionQuestion), get_object_or_404(Item, pk=pk)
        links = online.links_of(item.pk, asked["kind"], 20, timezone.now())
        kept = shelf.allowed(links, list(RecommendationRule.objects.active()))[: asked["k"]]
        rows = [
            {"rank": rank, "item": one.other, "value": one.value, "people": at_least(one.people)}
            for rank, one in enumerate(kept, start=1)
        ]
        cutoff = links[0].run.cutoff if links else None
        return Response(CompanionsOut({"cutoff": cutoff, "results": rows}).data)
