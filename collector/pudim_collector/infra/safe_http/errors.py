"""Why a request of ours got no answer: named, and never in the words of the other side, whose body may be a secret of its own."""

from __future__ import annotations

from pudim.vocabulary.errors import PudimError


class OutboundError(PudimError):
    """A request to another machine was not answered."""

    code = "outbound_failed"
    status = 502


class BadUrl(OutboundError):
    """This is not an address that can be asked."""

    code = "bad_url"
    status = 400
    hint = "It must be like https://example.org/path, without a name or password in it."


class BadRequest(OutboundError):
    """A request like this is never sent."""

    code = "bad_outbound_request"
    status = 400


class AddressRefused(OutboundError):
    """This address may not be asked from here. `reason` is one of few words, for counting."""

    code = "address_refused"
    status = 400
    hint = "The operator may allow an internal target with PUDIM_OUTBOUND_ALLOW."

    def __init__(self, detail: str = "", reason: str = "") -> None:
        super().__init__(detail)
        self.reason = reason


class TooLarge(OutboundError):
    """The answer is larger than was asked for."""

    code = "answer_too_large"


class TooSlow(OutboundError):
    """There was no whole answer in time."""

    code = "answer_too_slow"
    status = 504
    retry = True


class TooManyRedirects(OutboundError):
    """The server leads elsewhere, further than is followed."""

    code = "too_many_redirects"


class BadRedirect(OutboundError):
    """The server leads where we do not follow."""

    code = "bad_redirect"


class NotReachable(OutboundError):
    """No connection could be made, or it ended too early."""

    code = "not_reachable"
    retry = True


class Untrusted(OutboundError):
    """The server's certificate is not trusted, or its TLS is too old."""

    code = "certificate_untrusted"
    hint = "The operator may trust a certificate authority of his own with PUDIM_CA_FILE."


class ProxyRefused(OutboundError):
    """The operator's proxy does not let this request out."""

    code = "proxy_refused"
    hint = (
        "The proxy of PUDIM_OUTBOUND_PROXY must let CONNECT pass to addresses, on the ports that are asked."
    )


class Malformed(OutboundError):
    """The answer is not HTTP within bounds."""

    code = "answer_malformed"
