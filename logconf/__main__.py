"""`python -m logconf trace ID FILE...`"""

from __future__ import annotations

import sys

from logconf.trace.command import main as trace

USAGE = "usage: python -m logconf trace ID FILE...   (python -m logconf trace --help says more)"


def main() -> int:
    """Run the named command; 2 where there is none of that name."""
    if sys.argv[1:2] == ["trace"]:
        return trace(sys.argv[2:])
    asked = sys.argv[1:2] in (["--help"], ["-h"])
    print(USAGE, file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main())
