"""Every benchmark, each in a process of its own: `python -m benchmarks [NAME …] [--json]`.

Exits with 1 when one of them missed a bar or broke.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

NAMES = ("limiter", "queue", "ledger", "budgets", "overhead", "gateway", "startup", "console", "listing")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run benchmarks, one after the other.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--json", action="store_true", help="one object, each benchmark's answer under its name")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    codes, answers = [], {}
    for name in options.names or NAMES:
        command = [sys.executable, "-m", f"benchmarks.{name}", *(["--json"] if options.json else [])]
        if not options.json:
            print(f"\n── {' '.join(['python', *command[1:]])}", flush=True)
        done = subprocess.run(command, stdout=subprocess.PIPE if options.json else None, text=True, check=False)
        codes.append(done.returncode)
        if options.json:
            answers[name] = json.loads(done.stdout) if done.stdout else None
    if options.json:
        print(json.dumps(answers, indent=2))
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
