"""Long work: its progress, what a person may ask of it, and the start of a training."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from crm import assessments
from crm.api.resources import Conflict, Resource
from crm.models import JobRun
from mlengine import jobs
from mlengine.specs import SPECS


class JobOut(serializers.ModelSerializer[JobRun]):
    percent = serializers.IntegerField(read_only=True, allow_null=True, help_text="Null where the whole is not known.")
    result = serializers.DictField(read_only=True)

    class Meta:
        model = JobRun
        fields = [
            *("id", "kind", "title", "status", "step", "done", "total", "rejected", "percent", "result", "error"),
            *("created_at", "started_at", "heartbeat_at", "finished_at"),
        ]
        read_only_fields = fields


class JobQuestion(serializers.Serializer[Any]):
    kind = serializers.CharField(required=False, max_length=64)
    status = serializers.ChoiceField(JobRun.Status.choices, required=False)


class TrainingIn(serializers.Serializer[Any]):
    spec = serializers.CharField(max_length=64, help_text="The model to train, like churn.")

    def validate_spec(self, spec: str) -> str:
        if spec not in SPECS:
            raise serializers.ValidationError(
                _("There is no model %(spec)s; there are: %(known)s.") % {"spec": spec, "known": ", ".join(SPECS)}
            )
        return spec


class JobViewSet(Resource):
    """Imports, trainings and other long work."""

    scopes = {
        "list": "jobs:read",
        "retrieve": "jobs:read",
        "create": "models:train",
        "pause": "jobs:control",
        "cancel": "jobs:control",
    }
    ordering = ("-id",)
    queryset = JobRun.objects.all()
    serializer_class = JobOut

    @extend_schema(parameters=[JobQuestion])
    def list(self, request: Request) -> Response:
        """All jobs that match, newest first."""
        page = self.paginate_queryset(self.get_queryset().filter(**self.parameters(JobQuestion)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One job."""
        return Response(self.get_serializer(self._job(pk)).data)

    @extend_schema(request=TrainingIn, responses={202: JobOut})
    def create(self, request: Request) -> Response:
        """Start the training of a model; the answer is the job to watch."""
        try:
            job = jobs.request(jobs.TRAIN, self.body(TrainingIn)["spec"], now=timezone.now())
        except assessments.NoAssessment as error:
            raise Conflict(str(error)) from error
        return Response(self.get_serializer(job).data, status=202)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Ask a job to stop for now; it keeps what it has done, and an administrator can resume it."""
        job = self._job(pk)
        return self._moved(job, done=job.pause())

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Ask a job to stop for good."""
        job = self._job(pk)
        return self._moved(job, done=job.cancel(timezone.now()))

    def _job(self, pk: str) -> JobRun:
        job: JobRun = get_object_or_404(self.get_queryset(), pk=pk)
        return job

    def _moved(self, job: JobRun, *, done: bool) -> Response:
        if not done:
            raise Conflict(_("The job is %(status)s already.") % {"status": job.get_status_display()})
        return Response(self.get_serializer(job).data)
