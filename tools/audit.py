"""Asks pip-audit whether holes are known in requirements.lock: `make audit`.

Exit code 0: none is known, or the service that knows them was not reached, which is said in capitals;
1: there are. So a build far from that service passes, and a finding never does.
"""

import json
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
SECONDS_MAX = 120


def judged(report: str, complaint: str) -> tuple[int, str]:
    """Exit code and word for pip-audit's JSON report, and for what it said on stderr where there is none."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        last = complaint.strip().splitlines()[-1:] or ["it said nothing"]
        return 0, f"NOT AUDITED: {last[0]}"
    holes = [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'none'}"
        for one in packages
        for hole in one.get("vulns", ())
    ]
    skipped = sum("skip_reason" in one for one in packages)
    asked = len(packages) - skipped
    if holes:
        return 1, "\n".join(holes)
    if asked == 0:
        return 0, f"NOT AUDITED: the service knows none of the {skipped} packages, or was not reached"
    return 0, f"no hole is known in {asked} packages" + (f"; {skipped} were NOT AUDITED" if skipped else "")


def main() -> int:
    """Run it."""
    program = str(Path(sys.executable).with_name("pip-audit"))
    command = [program, "--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json"]
    try:
        done = subprocess.run(  # noqa: S603  our own tool from our own environment
            [*command, "-r", str(LOCK)], capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
        code, word = judged(done.stdout, done.stderr)
    except subprocess.TimeoutExpired:
        code, word = 0, f"NOT AUDITED: no answer within {SECONDS_MAX} s"
    sys.stdout.write(word + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
