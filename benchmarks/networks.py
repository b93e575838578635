"""A knapsack problem with the shapes of a real network and seeded synthetic scores, as a file.

python benchmarks/networks.py mobilenet-v2 --step 8 --resources macs,params,peak_ram --fraction 0.5 --out p.npz
"""

from __future__ import annotations

import argparse

from reds_core.bench import KINDS, NETWORKS, knapsack
from reds_core.knapsack import save_problem


def main() -> None:
    """Write one problem file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=sorted(NETWORKS))
    parser.add_argument("--kind", choices=KINDS, default="lognormal")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--resources", default="macs", help="comma-separated: macs, params, peak_ram")
    parser.add_argument("--fraction", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    given = parser.parse_args()
    problem = knapsack(
        NETWORKS[given.network](), given.kind, given.step, given.resources.split(","), given.fraction, given.seed
    )
    save_problem(problem, given.out)


if __name__ == "__main__":
    main()
