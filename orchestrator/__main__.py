"""The command `ferrule`; `python -m orchestrator` is the same."""

from orchestrator.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
