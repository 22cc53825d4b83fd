"""The few messages that no package brings: Prometheus' WriteRequest (prompb, remote write 1.0) and google.rpc.Status.

They are described here instead of by a compiled .proto file: there are four of them, and they are frozen. Labels are
read as bytes first, which has the same form on the wire: a series that was seen before is known by them, undecoded.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "pudim.outside"
_TYPES = {
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}
_MESSAGES = {
    "Sample": {"value": (1, "double"), "timestamp": (2, "int64")},
    "Label": {"name": (1, "string"), "value": (2, "string")},
    "TimeSeries": {"labels": (1, "*bytes"), "samples": (2, "*Sample"), "histograms": (4, "*bytes")},
    "WriteRequest": {"timeseries": (1, "*TimeSeries")},
    "Status": {"code": (1, "int32"), "message": (2, "string")},
}
"""Field by field its number and type, `*` for repeated."""


def _described() -> FileDescriptorProto:
    file = FileDescriptorProto(name="pudim/outside.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            plain = kind.removeprefix("*")
            label = (
                FieldDescriptorProto.LABEL_REPEATED if kind != plain else FieldDescriptorProto.LABEL_OPTIONAL
            )
            described = message.field.add(name=field, number=number, label=label)
            if plain in _TYPES:
                described.type = _TYPES[plain]
            else:
                described.type = FieldDescriptorProto.TYPE_MESSAGE
                described.type_name = f".{_PACKAGE}.{plain}"
    return file


_POOL = DescriptorPool()
_POOL.AddSerializedFile(_described().SerializeToString())


def _message(name: str) -> Any:
    return GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


Label = _message("Label")
WriteRequest = _message("WriteRequest")
Status = _message("Status")
