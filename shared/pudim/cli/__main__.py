"""`python -m pudim.cli` is the `pudim` command of that Python."""

from pudim.cli import main

if __name__ == "__main__":
    main(prog_name="pudim")
