"""OTLP over HTTP (opentelemetry-proto, docs/specification.md): a request's body as samples, and the answers."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from pudim_collector.ingest.outside.messages import Status
from pudim_collector.ingest.outside.otlp_attributes import target_of
from pudim_collector.ingest.outside.otlp_points import take_metric
from pudim_collector.ingest.outside.refusals import BodyTooLarge, PartRefusal, Undecodable, UnknownType
from pudim_collector.ingest.outside.samples import Push

MAX_JSON_BYTES = 2 << 20
"""JSON costs fifty times what protobuf does."""
_MAX_DEPTH = 50
_RPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 408: 4, 413: 3, 415: 3, 429: 8, 503: 14}
_RPC_INTERNAL = 13


class Form(StrEnum):
    """How a message is written; an answer takes the form of its question."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def form_of(content_type: str) -> Form:
    """Raises UnknownType."""
    try:
        return Form(content_type.partition(";")[0].strip().lower())
    except ValueError as error:
        raise UnknownType(f"send {Form.PROTOBUF} or {Form.JSON}") from error


def decode_metrics(body: bytes, form: Form) -> Push:
    """Raises a PushRefusal; what cannot be kept of a good request is in its `refused`."""
    request = _from_json(body) if form is Form.JSON else _from_protobuf(body)
    push = Push()
    for resource_metrics in request.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            _take_scope(push, resource_metrics.resource, scope_metrics)
    return push


def _take_scope(push: Push, resource: Any, scope_metrics: Any) -> None:
    try:
        arrival = push.of(target_of(resource, scope_metrics.scope))
    except PartRefusal as refusal:
        for metric in scope_metrics.metrics:
            kind = metric.WhichOneof("data")
            for _ in getattr(metric, kind).data_points if kind else ():
                push.next_point()
                push.refused.add(refusal)
        return
    for metric in scope_metrics.metrics:
        take_metric(push, arrival, metric)


def _from_protobuf(body: bytes) -> Any:
    try:
        return ExportMetricsServiceRequest.FromString(body)
    except DecodeError as error:
        raise Undecodable("not an ExportMetricsServiceRequest") from error


def _from_json(body: bytes) -> Any:
    if len(body) > MAX_JSON_BYTES:
        raise BodyTooLarge(
            f"{len(body)} bytes of JSON, at most {MAX_JSON_BYTES} are taken; protobuf may be larger"
        )
    try:
        said = json.loads(body)
        if not isinstance(said, dict):
            raise Undecodable("not an ExportMetricsServiceRequest in JSON")
        return json_format.ParseDict(
            said, ExportMetricsServiceRequest(), ignore_unknown_fields=True, max_recursion_depth=_MAX_DEPTH
        )
    except (json_format.ParseError, ValueError, RecursionError, OverflowError, TypeError) as error:
        raise Undecodable("not an ExportMetricsServiceRequest in JSON") from error


def accepted(form: Form, refused_points: int = 0, message: str = "") -> bytes:
    """The answer to a request that was stored, wholly or in part."""
    answer = ExportMetricsServiceResponse()
    if refused_points or message:
        answer.partial_success.rejected_data_points = refused_points
        answer.partial_success.error_message = message
    return _encoded(answer, form)


def failed(form: Form, status: int, message: str) -> bytes:
    """A google.rpc.Status, as every answer of 400 and above has one."""
    return _encoded(Status(code=_RPC_CODES.get(status, _RPC_INTERNAL), message=message), form)


def _encoded(message: Any, form: Form) -> bytes:
    if form is Form.JSON:
        return str(json_format.MessageToJson(message, indent=None)).encode()
    return bytes(message.SerializeToString())
