"""How gunicorn runs a service: `NBACTL_PHASE=3 gunicorn -c python:processors.gunicorn_conf`.

Cloud Run starts more containers where more is to do, and a warehouse has one writer; so one process, with threads
enough that `/health` answers while messages are worked on, wait, or are sent slowly. docs/container.md has the reasons
at length.
"""

import os
import resource

from processors.admission import PLACES

# where the command line names no other app
wsgi_app = "processors.service:create_app_from_environment()"
bind = f"{os.environ.get('NBACTL_BIND', '0.0.0.0')}:{os.environ.get('PORT', '8080')}"  # noqa: S104 -- a container's own
workers = 1
worker_class = "processors.gunicorn_worker.DeadlineWorker"
# a thread for every message that waits, and some when all have come; they are started as they are needed
threads = PLACES + 100
worker_connections = 2 * threads
# the deadline of a push is 600 s and Cloud Run ends a request at 540 s: what kills a worker must not come before
timeout = 600
# Cloud Run gives ten seconds between SIGTERM and SIGKILL
graceful_timeout = 8
# kept alive longer than the front end does, so that it never sends on a connection just closed
keepalive = 75
# a heartbeat file on a disk may block a worker
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108 -- gunicorn's advice
# it would be a file in the home, which a container's user has not, and which two services on a laptop would share
control_socket_disable = True
errorlog = "-"
loglevel = "warning"

# a connection is a file, of which some systems allow 256
_files, _most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
_wanted_files = 2 * worker_connections
if _files != resource.RLIM_INFINITY and _files < _wanted_files:
    _allowed = _wanted_files if _most_files == resource.RLIM_INFINITY else min(_wanted_files, _most_files)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(_files, _allowed), _most_files))
