"""The mean of the weights of several stages (Wortsman et al., Model soups, ICML 2022).

python -m benchmarks.train_reader.mean OUT.npz ONE.npz OTHER.npz
"""

import sys
from pathlib import Path

from benchmarks.train_reader.__main__ import write
from benchmarks.train_reader.train import Model, mean_of


def main() -> None:
    out, *files = map(Path, sys.argv[1:])
    models = [Model(file) for file in files]
    models[0].load_state_dict(mean_of([model.state_dict() for model in models]))
    write(models[0], out)


if __name__ == "__main__":
    main()
