"""How long a deployment takes to start, and beyond what Google's servers take.

    python bench/deploy.py [ROUNDS]

Start-up is a whole process until it asks Cloud Run for the first time. The whole deployment is timed against fakes of
Google's servers on this machine, whose own delays (a revision is ready after 0.05 s) are left in.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

START = """
import sys, time
began = float(sys.argv[1])
import google.auth
from google.auth.credentials import AnonymousCredentials
google.auth.default = lambda *_, **__: (AnonymousCredentials(), "p")
from nbactl.gcp import run
def asked(*_):
    print(time.time() - began)
    sys.exit(0)
run.CloudRun.service = asked
sys.argv = ["nbactl", *sys.argv[2:]]
from nbactl.__main__ import main
main()
"""
WHOLE = """
import sys, time
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from gcp_storage_emulator.server import create_server
from nbactl.__main__ import main
from nbactl.ops.deploy import google
from tests.emulator import free_port
from tests.fakes.cloud_run import serving
port = free_port()
server = create_server("127.0.0.1", port, in_memory=True)
server.start()
endpoint = f"http://127.0.0.1:{port}"
storage = Client("p", credentials=AnonymousCredentials(), client_options={"api_endpoint": endpoint})
with serving(storage) as (fake, connected):
    google.connect = lambda _: connected
    fake.deployed("nba-phase3-analytics-processors", "0" * 12)
    fake.bind("nba-phase3-analytics-processors", "serviceAccount:nba-pipeline@p.iam.gserviceaccount.com")
    sys.argv = ["nbactl", "-q", "--project", "p", "deploy", "analytics", "--yes"]
    began = time.time()
    code = main()
    print(time.time() - began)
server.stop()
sys.exit(code)
"""
ROOT = Path(__file__).parents[1]


def main() -> None:
    """Measure and print a row per figure."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "Dockerfile").write_text("FROM python")
        start = [_seconds(folder, START, str(time.time()), "deploy", "analytics", "--dry-run") for _ in range(rounds)]
        print(f"{'deploy --dry-run, until the first call':<44}{median(start):>6.2f} s   (target 0.7)")
        whole = [_seconds(folder, WHOLE) for _ in range(rounds)]
        print(f"{'deploy, from the folder to the last answer':<44}{median(whole):>6.2f} s   (target 3.0)")


def _seconds(folder: Path, code: str, *words: str) -> float:
    """What a program prints as the last thing."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "-c", code, *words]
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
