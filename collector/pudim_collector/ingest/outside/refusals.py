"""What is not taken from outside, each reason by its name: of a whole request, or of a part while the rest is taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pudim.vocabulary.errors import PudimError


class PushRefusal(PudimError):
    """The whole request is refused; nothing of it is stored."""

    code = "push_refused"
    status = 400


class BodyTooLarge(PushRefusal):
    """The body is larger than is taken at once."""

    code = "body_too_large"
    status = 413
    hint = "Send smaller batches."


class TooManySamples(PushRefusal):
    """The request holds more samples than are taken at once."""

    code = "too_many_samples"
    status = 413
    hint = "Send smaller batches."


class UnknownType(PushRefusal):
    """The body is of a type that is not taken here."""

    code = "unknown_type"
    status = 415


class UnknownEncoding(PushRefusal):
    """The body is compressed in a way that is not taken here."""

    code = "unknown_encoding"
    status = 415


class Undecodable(PushRefusal):
    """The body is not what its type says."""

    code = "undecodable"


class BodyTooSlow(PushRefusal):
    """The body did not arrive in time."""

    code = "body_too_slow"
    status = 408


class BodyCutShort(PushRefusal):
    """The sender left before its body was whole."""

    code = "body_cut_short"


class Crowded(PushRefusal):
    """More is being received than can be stored now."""

    code = "crowded"
    status = 503
    retry = True


class PartlyRefused(PushRefusal):
    """Some of the request was refused; the rest is stored."""

    code = "partly_refused"


class PartRefusal(PudimError):
    """A part of a request is refused; the rest is stored."""

    code = "part_refused"
    status = 400


class BadName(PartRefusal):
    """A metric without a name, or with a name, unit or label that cannot be kept."""

    code = "bad_name"


class TextTooLong(PartRefusal):
    """A name, a label or a unit is too long."""

    code = "text_too_long"


class TooManyLabels(PartRefusal):
    """A series has more labels than can be kept."""

    code = "too_many_labels"


class BadPoint(PartRefusal):
    """A data point without time or value, or one that contradicts itself."""

    code = "bad_point"


class TooManyBuckets(PartRefusal):
    """A histogram has more buckets than can be kept."""

    code = "too_many_buckets"


class NativeHistogram(PartRefusal):
    """Prometheus' native histograms are not taken."""

    code = "native_histogram"
    hint = "Leave send_native_histograms off; classic histograms are taken."


class SampleTooOld(PartRefusal):
    """A sample is older than raw samples are kept."""

    code = "sample_too_old"


class SampleInFuture(PartRefusal):
    """A sample lies in the future."""

    code = "sample_in_future"


class SeriesCap(PartRefusal):
    """The sender has as many series as it may have."""

    code = "series_cap"


class ServerCap(PartRefusal):
    """The sender has made as many servers as it may make."""

    code = "server_cap"


class ServerRevoked(PartRefusal):
    """The server was revoked: nothing more is taken for it."""

    code = "server_revoked"


@dataclass
class Refused:
    """How many data points of a request were refused, and the first that was said of each reason."""

    points: Counter[str] = field(default_factory=Counter)
    said: dict[str, str] = field(default_factory=dict)

    def add(self, refusal: PartRefusal, points: int = 1) -> None:
        if points:
            self.points[refusal.code] += points
            self.said.setdefault(refusal.code, refusal.detail)

    @property
    def total(self) -> int:
        return self.points.total()

    def sentence(self) -> str:
        """For the sender's log; empty when nothing was refused."""
        return "; ".join(
            f"{count} refused, {code}: {self.said[code]}" for code, count in self._most(self.points)
        )

    @staticmethod
    def _most(points: Mapping[str, int]) -> list[tuple[str, int]]:
        return sorted(points.items(), key=lambda one: (-one[1], one[0]))
