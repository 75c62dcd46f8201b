"""The newcomer's first minute, and the proofs, on the sample league: what a stranger's clone can see for itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

from shared import clock


def nbactl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 -- our own command
        [sys.executable, "-m", "nbactl", *arguments],
        cwd=folder,
        env=os.environ | {"NBACTL_WAREHOUSE": f"duckdb:///{folder}/league.duckdb"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_from_nothing_to_match_ups_and_their_proof(tmp_path: Path) -> None:
    first = nbactl(tmp_path, "quickstart")
    assert first.returncode == 0, first.stderr
    assert "making eight weeks of sample data" in first.stderr
    tonight = clock.today().isoformat()
    summary, best = first.stdout.split("player ", maxsplit=1)
    assert summary.count("SUCCESS") == 10
    assert len(best.splitlines()) == 11

    again = nbactl(tmp_path, "quickstart")
    assert again.returncode == 0
    assert "sample" not in again.stderr
    assert again.stdout.split("player ", maxsplit=1)[1] == best

    proof = nbactl(tmp_path, "verify", "leakage", "--date", tonight, "-o", "json")
    assert (proof.returncode, json.loads(proof.stdout)[0]["differences"]) == (0, 0)

    rows = json.loads(nbactl(tmp_path, "show", "ml_feature_store", "--date", tonight, "-o", "json").stdout)
    assert {row["data_quality_tier"] for row in rows} >= {"high"}
    assert any(row["is_production_ready"] for row in rows)
