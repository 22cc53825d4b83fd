"""Why an end of the agent link says no. A refusal's code is part of the protocol and is never reused."""

from __future__ import annotations

from typing import ClassVar

from pudim.vocabulary.errors import PudimError


class Refusal(PudimError):
    """The message or session was refused."""

    code = "refused"
    status = 400
    ends_session: ClassVar[bool] = True
    """False: only the named batch is refused, and the connection goes on."""


class BadSignature(Refusal):
    """The message is not signed with the key of this session or peer."""

    code = "bad_signature"
    status = 401


class BadSuccession(Refusal):
    """What the collector shows as the successor of its key is not to be believed."""

    code = "bad_succession"
    status = 401


class Replayed(Refusal):
    """A message with this counter was already received in this session."""

    code = "replayed"
    status = 401


class CounterGap(Refusal):
    """A message of this session is missing before this one."""

    code = "counter_gap"
    retry = True


class UnknownVersion(Refusal):
    """The two ends share no protocol version."""

    code = "unknown_version"
    hint = "Upgrade the older of agent and collector."


class UnknownAgent(Refusal):
    """No agent with this id is enrolled here."""

    code = "unknown_agent"
    status = 401
    hint = "Enrol this host again: pudim agent enrol."


class RevokedAgent(Refusal):
    """This agent's access was revoked."""

    code = "revoked_agent"
    status = 403
    hint = "Enrol this host again if it should report."


class ClockSkew(Refusal):
    """The agent's clock is too far from the collector's."""

    code = "clock_skew"
    retry = True
    hint = "Set the host's clock, for instance with chrony or systemd-timesyncd."


class Oversize(Refusal):
    """The message is larger than the link allows."""

    code = "oversize"
    status = 413


class TooDeep(Refusal):
    """The message is nested deeper than any message of this protocol."""

    code = "too_deep"


class Malformed(Refusal):
    """The message is not shaped as the protocol says."""

    code = "malformed"


class BatchRefusal(Refusal):
    """One batch was refused; the session goes on."""

    code = "batch_refused"
    ends_session = False


class UndeclaredSource(BatchRefusal):
    """A frame names a source that this session has not declared."""

    code = "undeclared_source"


class BadFrame(BatchRefusal):
    """A block of frames does not fit its layout, or its times do not increase."""

    code = "bad_frame"


class FrameTime(BatchRefusal):
    """A frame's time lies in the future or further back than the store keeps raw frames."""

    code = "frame_time"


class SequenceGap(BatchRefusal):
    """A batch is missing before this one and was not declared as lost."""

    code = "sequence_gap"
    retry = True


class TooManySources(Refusal):
    """This agent declares more sources than one server may have."""

    code = "too_many_sources"


class Busy(Refusal):
    """The collector cannot take more now."""

    code = "busy"
    status = 503
    retry = True


class StoreUnavailable(Refusal):
    """The collector cannot write to its database now; nothing was stored."""

    code = "store_unavailable"
    status = 503
    retry = True


class Superseded(Refusal):
    """Another connection of the same agent took over."""

    code = "superseded"
    status = 409
    retry = True


class EnrolmentTokenInvalid(Refusal):
    """No enrolment token like this was issued here."""

    code = "enrolment_token_invalid"
    status = 401
    hint = "Make a new token on the collector's page 'Add server'."


class EnrolmentTokenUsed(EnrolmentTokenInvalid):
    """This enrolment token was already used."""

    code = "enrolment_token_used"
    status = 409


class EnrolmentTokenExpired(EnrolmentTokenInvalid):
    """This enrolment token has expired."""

    code = "enrolment_token_expired"
    status = 410


def _family(root: type[Refusal]) -> dict[str, type[Refusal]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found.update(_family(child))
    return found


BY_CODE = _family(Refusal)
"""Every refusal by its code, so that the agent can name what the collector said."""
