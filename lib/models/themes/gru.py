"""Multi-task recurrent network on windows of daily, weekly and monthly bars; needs PyTorch, which
is optional.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass, field

import numpy as np

from lib.market.errors import ParameterError
from lib.models.themes.bands import BANDS
from lib.models.themes.features import CHANNELS


def torch():
    """Return the module PyTorch.

    Raises
    ------
    ParameterError
        It is not installed.
    """
    # matrix products on a GPU repeat themselves only with a fixed workspace, which is read when the
    # library starts
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        library = importlib.import_module("torch")
    except ImportError as error:
        raise ParameterError(
            "the learner gru needs PyTorch, which is not installed",
            remedy="pip install -r requirements-gru.txt, or set the parameter gru to 0",
        ) from error
    # networks are fitted side by side, one thread each: sums in one order, and no waiting for a
    # busy core
    library.set_num_threads(1)
    return library


@dataclass
class Gru:
    """One GRU per band; a head on all three, and one on each band, learn the label together.

    The heads of the single bands are the further tasks: each band has to be of use by itself. The
    score is the joint
    head's. Runs on a GPU when there is one; the same inputs on the same device give the same
    scores.

    Attributes
    ----------
    names : list of str, (F,)
        Names of the columns of x; those of ``features.bar_windows`` are read.
    hidden, epochs, batch, rate, side
        Units per band, passes, rows per step, learning rate, weight of the mean loss of the bands'
        own heads.
    seed : int
    state : dict of name to array
        Parameters of the fitted network.
    """

    names: list[str]
    hidden: int = 32
    epochs: int = 3
    batch: int = 2048
    rate: float = 2e-3
    side: float = 0.3
    seed: int = 11
    state: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        """Find the columns of each band's window, (bars, channels), the oldest bar first."""
        self.torch = torch()
        self.places = {}
        self.device = "cuda" if self.torch.cuda.is_available() else "cpu"
        place = {name: column for column, name in enumerate(self.names)}
        for band in BANDS:
            bars = sum(name.startswith(f"window_{band}_{CHANNELS[0]}_") for name in self.names)
            self.places[band] = np.array(
                [
                    [place[f"window_{band}_{channel}_{back}"] for channel in CHANNELS]
                    for back in range(bars, 0, -1)
                ]
            )
        self.network = self._network(self.torch.Generator().manual_seed(self.seed))
        if self.state:
            values = {name: self.torch.as_tensor(array) for name, array in self.state.items()}
            self.network.load_state_dict(values)

    def fit(self, x, y, weight):
        """Learn by Adam on shuffled rows; weights scale the squared errors."""
        lib = self.torch
        draw = lib.Generator().manual_seed(self.seed)
        self.network = self._network(draw)
        steps = lib.optim.Adam(self.network.parameters(), lr=self.rate, weight_decay=1e-5)
        target = lib.as_tensor(np.asarray(y, np.float32))
        share = lib.as_tensor(np.asarray(weight, np.float32))
        for _ in range(self.epochs):
            for rows in lib.randperm(len(target), generator=draw).split(self.batch):
                error = (self._forward(x[rows.numpy()]) - target[rows, None].to(self.device)) ** 2
                error = error * share[rows, None].to(self.device)
                loss = error[:, 0].mean() + self.side * error[:, 1:].mean()
                steps.zero_grad()
                loss.backward()
                lib.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
                steps.step()
        self.state = {
            name: values.cpu().numpy() for name, values in self.network.state_dict().items()
        }

    def predict(self, x):
        """Return the joint head's score per row."""
        with self.torch.no_grad():
            parts = [
                self._forward(part)[:, 0].cpu().numpy()
                for part in np.array_split(x, max(len(x) // 8192, 1))
            ]
        return np.concatenate(parts).astype(float)

    def importance(self):
        """Return the share of each column in the first layers' absolute weights; a bar shares its
        channel's.
        """
        out = np.zeros(len(self.names))
        for band, places in self.places.items():
            size = self.network[band].weight_ih_l0.detach().abs().sum(0).cpu().numpy()
            out[places] = size / len(places)
        return out / out.sum()

    def _network(self, draw):
        nn = self.torch.nn
        network = nn.ModuleDict(
            {band: nn.GRU(len(CHANNELS), self.hidden, batch_first=True) for band in BANDS}
        )
        network["joint"] = nn.Linear(self.hidden * len(BANDS), 1)
        for band in BANDS:
            network[f"{band}_own"] = nn.Linear(self.hidden, 1)
        # drawn from a generator of its own: networks are fitted side by side, and the common one
        # would mix them
        with self.torch.no_grad():
            for values in network.parameters():
                values.copy_(
                    (self.torch.rand(values.shape, generator=draw) * 2 - 1) / np.sqrt(self.hidden)
                )
        return network.to(self.device)

    def _forward(self, x):
        last = []
        for band, places in self.places.items():
            window = np.nan_to_num(np.asarray(x, np.float32)[:, places])
            _, state = self.network[band](self.torch.as_tensor(window, device=self.device))
            last.append(state[-1])
        heads = [self.network["joint"](self.torch.cat(last, dim=1))]
        heads += [
            self.network[f"{band}_own"](state)
            for band, state in zip(self.places, last, strict=True)
        ]
        return self.torch.cat(heads, dim=1)
