"""What Prometheus' names say, read the same whether a metric was pushed to the collector or brought by an agent."""

from __future__ import annotations

_UNITS = {
    "seconds": "s",
    "bytes": "By",
    "ratio": "1",
    "celsius": "Cel",
    "meters": "m",
    "grams": "g",
    "volts": "V",
    "amperes": "A",
    "joules": "J",
    "hertz": "Hz",
    "percent": "%",
    "info": "1",
}
_COUNTS = ("_count", "_bucket")


def unit_of(metric: str) -> str:
    """What the name says by Prometheus' convention: `..._seconds_total` counts seconds.

    The metadata that Prometheus sends would say it too, for few metrics and minutes later; a series cannot wait.
    """
    if metric.endswith(_COUNTS):
        return "1"
    return _UNITS.get(metric.removesuffix("_total").removesuffix("_sum").rpartition("_")[2], "")
