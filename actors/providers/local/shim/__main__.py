"""Starts the shim. It is run as a file, because running a folder would load runpy. Its parent folder is put at the end
of the path, so that it hides no module.
"""

# ruff: noqa: PTH100, PTH120 - pathlib would cost each shim 5 ms and 1 MB

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

if sys.argv[1] == "zygote":
    from shim.zygote import serve  # type: ignore[import-not-found]

    serve()
else:
    from shim.job import main  # type: ignore[import-not-found]

    main(sys.argv)
os._exit(0)  # nothing is left to be cleared up, which would take milliseconds
