"""Times of one day, in milliseconds as the rules have them."""

TICK = 10_000
MIDNIGHT = 1_788_220_800_000


def at(hour: int, minute: int = 0, second: int = 0) -> int:
    return MIDNIGHT + (hour * 3600 + minute * 60 + second) * 1000
