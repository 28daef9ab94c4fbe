"""Groups of people that models found, and who is in them."""

from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from crm import profiling
from crm.api.pages import KeysetPagination
from crm.api.resources import Resource
from mlengine.models import Cluster, ClusterMember, PredictionRun


class ClusterOut(serializers.ModelSerializer[Cluster]):
    name = serializers.DictField(child=serializers.CharField(), read_only=True, help_text="By language.")
    description = serializers.DictField(child=serializers.CharField(), read_only=True, help_text="By language.")

    class Meta:
        model = Cluster
        fields = ["id", "spec", "code", "name", "description", "first_seen_at"]
        read_only_fields = fields


class MemberOut(serializers.ModelSerializer[ClusterMember]):
    profile_id = serializers.IntegerField(read_only=True)

    class Meta:
        model = ClusterMember
        fields = ["profile_id"]


class ClusterQuestion(serializers.Serializer[Any]):
    spec = serializers.CharField(required=False, max_length=64, help_text="Like rfm.")


class MemberQuestion(serializers.Serializer[Any]):
    run = serializers.IntegerField(
        required=False, min_value=1, max_value=2**63 - 1, help_text="A prediction run; the latest if not given."
    )


class ClusterViewSet(Resource):
    """Groups of people found by a model. A cluster keeps its id from one run to the next."""

    scopes = {"list": "clusters:read", "retrieve": "clusters:read", "members": "clusters:read"}
    queryset = Cluster.objects.all()
    serializer_class = ClusterOut

    @property
    def ordering(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("profile_id",) if self.action == "members" else ("id",)

    @extend_schema(parameters=[ClusterQuestion])
    def list(self, request: Request) -> Response:
        """All clusters that match, oldest first."""
        page = self.paginate_queryset(self.get_queryset().filter(**self.parameters(ClusterQuestion)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One cluster."""
        return Response(self.get_serializer(get_object_or_404(self.get_queryset(), pk=pk)).data)

    @extend_schema(parameters=[MemberQuestion], responses=MemberOut(many=True))
    @action(detail=True)
    def members(self, request: Request, pk: str) -> Response:
        """Who is in the cluster since the latest run; following pages stay with that run while a newer one ends."""
        cluster = get_object_or_404(self.get_queryset(), pk=pk)
        run_id = self.parameters(MemberQuestion).get("run") or _latest_run(cluster.spec)
        members = ClusterMember.objects.filter(
            cluster=cluster, run=run_id, run__finished_at__isnull=False, profile__in=profiling.scored()
        )
        page = self.paginate_queryset(members)
        paginator = cast("KeysetPagination", self.paginator)
        return paginator.get_paginated_response(MemberOut(page, many=True).data, pinned={"run": run_id})


def _latest_run(spec: str) -> int:
    run = PredictionRun.objects.latest_finished(spec)
    return run.pk if run else 0
