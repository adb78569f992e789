"""``python -m meshsim`` is the same as ``meshsim``."""

from __future__ import annotations

from meshsim.cli import main

if __name__ == "__main__":
    main()
