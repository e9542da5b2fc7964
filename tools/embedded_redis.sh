#!/bin/sh
# Whether the extra `embedded` has a wheel for this machine and this Python (pyproject.toml).
exec ${PYTHON:-python3} - <<'PYTHON'
import platform, sys

linux = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 13)
mac = sys.platform == "darwin" and platform.machine() == "arm64" and sys.version_info >= (3, 12)
sys.exit(not (linux or mac))
PYTHON
