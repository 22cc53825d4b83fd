"""Installs Pudim's agent, starts it, and puts updates in place: python3 -I launch install|uninstall|prepare|run|stage."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from places import Places
from release import Refused

_PATIENCE_SECONDS = 60.0
_KEYS = frozenset({"--collector-key", "--release-key", "--token"})


def main(words: list[str]) -> int:
    wish = _parser().parse_args(_joined(words))
    places = Places(Path(wish.root).absolute())
    try:
        return _do(places, wish)
    except Refused as refusal:
        print(f"pudim-agent: {refusal}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"pudim-agent: {error}", file=sys.stderr)
        return 1


def _joined(words: list[str]) -> list[str]:
    """A key may begin with a hyphen, and would be taken for another option."""
    found: list[str] = []
    for word in words:
        if found and found[-1] in _KEYS:
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


def _do(places: Places, wish: argparse.Namespace) -> int:
    import installing
    import starting

    if wish.verb == "run":
        return starting.run(places, wish.patience)
    if wish.verb == "prepare":
        starting.prepare(places)
    elif wish.verb == "stage":
        import staging

        staging.stage(places, wish)
    elif wish.verb == "uninstall":
        installing.uninstall(places)
    else:
        installing.install(places, wish)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="install.sh", description="Installs Pudim's agent on this host.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    install = verbs.add_parser("install")
    install.add_argument("--url", help="where the collector answers")
    install.add_argument("--token", help="the single-use token; better in PUDIM_ENROLMENT_TOKEN")
    install.add_argument("--token-file", help="a file with the token")
    install.add_argument("--collector-key", help="the collector's public key, which the agent pins")
    install.add_argument("--release-key", help="the key that releases are signed with, which this host pins")
    install.add_argument("--name", help="how the server is called; default its host name")
    install.add_argument("--interval-ms", type=int, help="time between samples, if not ten seconds")
    install.add_argument("--ca-file", help="certificates to trust instead of the system's")
    install.add_argument("--insecure", action="store_true", help="allow http:// to another host")
    install.add_argument("--bundle", help="take the release from this folder instead of the collector")
    install.add_argument("--trust-bundle", action="store_true", help="a package vouches for --bundle")
    install.add_argument("--no-start", action="store_true", help="do not start the service")
    run = verbs.add_parser("run")
    run.add_argument(
        "--patience", type=float, default=_PATIENCE_SECONDS, help="seconds an update has to stream"
    )
    prepare, uninstall = verbs.add_parser("prepare"), verbs.add_parser("uninstall")
    stage = verbs.add_parser("stage")
    for name in ("url", "version", "digest", "signature"):
        stage.add_argument(f"--{name}", required=True)
    stage.add_argument("--ca-file")
    stage.add_argument("--insecure", action="store_true")
    for one in (install, run, prepare, uninstall, stage):
        one.add_argument("--root", default="/", help="install below this folder instead")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
