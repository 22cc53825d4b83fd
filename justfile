# Every habit of this repository is a recipe; `just` lists them.
set positional-arguments

venv := justfile_directory() / ".venv"
bin := venv / "bin"
export UV_PYTHON := bin / "python"

_list:
    @just --list --unsorted

# Install all four distributions (editable) with pinned dependencies, and build the web assets.
setup:
    @{{bin}}/uv pip install --quiet --constraints constraints.txt --build-constraints constraints.txt --group dev \
        --editable shared --editable agent --editable collector --editable web

# Run Pudim on this machine: database, collector, an agent on this host. Arguments go to `pudim up`.
[no-exit-message]
up *args: setup
    @{{bin}}/pudim up "$@"

# Run every test, with the browser they need if it may be installed. Arguments go to pytest.
test *args: setup
    @packaging/system-packages || echo "Without it the browser tests are skipped." >&2
    @{{bin}}/pytest "$@"

# Lint, types, import contracts.
check: setup
    {{bin}}/ruff check .
    {{bin}}/ruff format --check .
    {{bin}}/mypy
    {{bin}}/lint-imports --no-cache

# Format and apply the safe fixes.
fmt: setup
    {{bin}}/ruff check --fix-only .
    {{bin}}/ruff format .

# Collect the texts of pages into the catalogues of their languages; names new languages to begin (`just messages de`).
messages *languages: setup
    @{{bin}}/python -m web.messages "$@"

# Resolve every dependency again into constraints.txt (no index addresses, no hashes).
lock:
    {{bin}}/uv pip compile --quiet --universal --upgrade --no-emit-index-url --no-header --no-annotate --python-version 3.11 \
        --no-emit-package pudim --no-emit-package pudim-agent --no-emit-package pudim-collector --no-emit-package pudim-web \
        --group dev shared/pyproject.toml agent/pyproject.toml collector/pyproject.toml web/pyproject.toml \
        --output-file constraints.txt
    packaging/release/lock

# Build the four wheels, the agent's bundle and its Debian packages into dist/.
build: setup bundle
    for one in shared agent collector web; do {{bin}}/uv build --quiet --wheel --out-dir dist "$one"; done
    packaging/deb/build dist/pudim-agent-*.tar

# Build the agent's bundle for hosts into dist/. Arguments go to the script (--target x86_64-cp311 ...).
bundle *args: setup
    {{bin}}/python packaging/release/build_bundle.py "$@"

# Measure the signed path from agents to commit. Arguments go to the benchmark (--json, --seconds ...).
bench-ingest *args: setup
    @{{bin}}/python -m tests.bench.ingest "$@"

# Measure the agent's CPU and memory at 10 s. Arguments go to the benchmark (--json, --seconds ...).
bench-agent *args: setup
    @{{bin}}/python -m tests.bench.agent "$@"

# Load 24 hours of 200 servers, ask for them, and ask other stores the same. Arguments go to the benchmark (--json, --no-peers ...).
bench-store *args: setup
    @{{bin}}/python -m tests.bench.store "$@"

# Fill an audit log and measure how it is written, searched, exported and verified. Arguments go to the benchmark (--rows ...).
bench-audit *args: setup
    @{{bin}}/python -m tests.bench.audit "$@"

# Fill a Pudim, running or not, with simulated servers and a month of history. Arguments go to `pudim admin demo-data`.
[no-exit-message]
demo-data *args: setup
    @{{bin}}/pudim admin demo-data "$@"
