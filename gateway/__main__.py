"""The gateway in one process, as its image runs it: `python -m gateway` with the arguments of `gateway.render`."""

import os
import shutil
import sys

from gateway.render import main

target = main()
program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
if program is None:
    sys.exit("The gateway cannot start: there is no nginx.")
# `-e`: until the configuration is read, nginx would complain into a log directory that is root's.
options = ["-p", f"{target}/", "-c", f"{target}/nginx.conf", "-e", "stderr", "-g", "daemon off;"]
os.execv(program, [program, *options])  # noqa: S606
