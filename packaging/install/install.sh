#!/bin/sh
# Installs Pudim's agent: curl -fsS https://collector/agent/v1/install.sh | sudo sh -s -- --url ... --token ...
#   --uninstall removes it again; --help names every option. The collector's page "Add server" makes the whole line.
#
# All of it is in one function that is called on the last line, so a download that was cut off does nothing. It finds a
# Python, writes the program below to a private folder and runs it. That program checks the release's signature by the
# key in the install line before it unpacks or runs anything of it.
set -eu

main() {
    python=$(find_python) || {
        echo "pudim-agent: no Python 3.10 or newer was found. Install one, such as: apt-get install python3" >&2
        return 1
    }
    folder=$(mktemp -d) || {
        echo "pudim-agent: no folder for temporary files can be made; is the disk full?" >&2
        return 1
    }
    trap 'rm -rf -- "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
    write_program "$folder"
    verb=install
    case "${1:-}" in
    --uninstall)
        verb=uninstall
        shift
        ;;
    esac
    "$python" -I "$folder" "$verb" "$@" </dev/null
}

# The newest of the host's own; PUDIM_PYTHON names another one.
find_python() {
    for candidate in "${PUDIM_PYTHON:-}" /usr/bin/python3 python3 python3.13 python3.12 python3.11 python3.10; do
        [ -n "$candidate" ] || continue
        found=$(command -v "$candidate" 2>/dev/null) || continue
        if "$found" -I -c 'import sys, ssl, zipfile; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            printf '%s\n' "$found"
            return 0
        fi
    done
    return 1
}

#PROGRAM#

main "$@"
