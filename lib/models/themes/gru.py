"""Multi-task recurrent network on windows of daily, weekly and monthly bars; needs PyTorch, which
is optional.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lib.market.errors import ParameterError
from lib.models.themes.bands import BANDS
from lib.models.themes.features import GRU_CHANNELS

if TYPE_CHECKING:
    from lib.models.themes.learners import TrainingData

#: units per band: more fit the noise of weekly labels
HIDDEN = 32
#: rows per pass through the network when scores are computed, which bounds memory
CHUNK = 8192


def torch() -> Any:
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


def window_columns(names: list[str]) -> dict[str, np.ndarray]:
    """Return the columns of each band's window, (bars, channels), the oldest bar first."""
    position = {name: column for column, name in enumerate(names)}
    columns = {}
    for band in BANDS:
        bars = sum(name.startswith(f"window_{band}_{GRU_CHANNELS[0]}_") for name in names)
        cells = product(range(bars, 0, -1), GRU_CHANNELS)
        flat = [position[f"window_{band}_{channel}_{back}"] for back, channel in cells]
        columns[band] = np.array(flat).reshape(bars, len(GRU_CHANNELS))
    return columns


class Network:
    """One GRU per band, a head on all three and one on each band, which learn the label together.

    The heads of the single bands are the further tasks: each band has to be of use by itself. The
    score is the joint head's. Runs on a GPU when there is one; the same inputs on the same device
    give the same scores.

    Parameters
    ----------
    names : list of str, (F,)
        Names of the columns of x; those of ``features.bar_windows`` are read.
    generator : torch.Generator
        Draws the first parameters.
    """

    def __init__(self, names: list[str], generator: Any):
        self.torch = torch()
        self.device = "cuda" if self.torch.cuda.is_available() else "cpu"
        self.columns = window_columns(names)
        nn = self.torch.nn
        self.modules = nn.ModuleDict(
            {band: nn.GRU(len(GRU_CHANNELS), HIDDEN, batch_first=True) for band in BANDS}
        )
        self.modules["joint"] = nn.Linear(HIDDEN * len(BANDS), 1)
        for band in BANDS:
            self.modules[f"{band}_own"] = nn.Linear(HIDDEN, 1)
        # networks are fitted side by side: the common generator would mix their draws
        with self.torch.no_grad():
            for values in self.modules.parameters():
                draws = self.torch.rand(values.shape, generator=generator)
                values.copy_((draws * 2 - 1) / np.sqrt(HIDDEN))
        self.modules.to(self.device)

    def forward(self, x: np.ndarray) -> Any:
        """Return the outputs of the joint head and of each band's own, (S, F) to (S, 4)."""
        states = []
        for band, columns in self.columns.items():
            window = np.nan_to_num(np.asarray(x, np.float32)[:, columns])
            _, state = self.modules[band](self.torch.as_tensor(window, device=self.device))
            states.append(state[-1])
        heads = [self.modules["joint"](self.torch.cat(states, dim=1))]
        heads += [
            self.modules[f"{band}_own"](state)
            for band, state in zip(self.columns, states, strict=True)
        ]
        return self.torch.cat(heads, dim=1)


@dataclass(frozen=True)
class Gru:
    """A fitted network.

    Attributes
    ----------
    names : list of str, (F,)
    state : dict of name to array
        Its parameters.
    """

    names: list[str]
    state: dict[str, np.ndarray]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the joint head's score per row, (S, F) to (S,)."""
        lib = torch()
        network = Network(self.names, lib.Generator().manual_seed(0))
        network.modules.load_state_dict(
            {name: lib.as_tensor(values) for name, values in self.state.items()}
        )
        with lib.no_grad():
            scores = [
                network.forward(part)[:, 0].cpu().numpy()
                for part in np.array_split(x, max(len(x) // CHUNK, 1))
            ]
        return np.concatenate(scores).astype(float)

    def importance(self) -> np.ndarray:
        """Return the share of each column in the first layers' absolute weights, (F,); a bar has an
        equal part of its channel's.
        """
        out = np.zeros(len(self.names))
        for band, columns in window_columns(self.names).items():
            out[columns] = np.abs(self.state[f"{band}.weight_ih_l0"]).sum(axis=0) / len(columns)
        return out / out.sum()


class GruTrainer:
    """Fits the network by Adam on shuffled rows; weights scale the squared errors."""

    kind: ClassVar[type] = Gru
    #: sums of a network depend on the rows computed together, so dates are scored one by one
    is_joint: ClassVar[bool] = True
    SEED: ClassVar[int] = 11

    def __init__(
        self,
        data: TrainingData,
        *,
        epochs: int = 3,
        batch: int = 2048,
        rate: float = 2e-3,
        side_weight: float = 0.3,
    ):
        """Keep the data; ``side_weight`` is that of the mean loss of the bands' own heads."""
        self.torch = torch()
        self.data, self.epochs, self.batch = data, epochs, batch
        self.rate, self.side_weight = rate, side_weight

    def prepare(self) -> None:
        """Nothing is shared by the refits."""

    def fit(self, dates: np.ndarray, weights: np.ndarray) -> Gru:
        """Return the model of some dates, weighted by date.

        Parameters
        ----------
        dates : bool array, (K,)
            Those learned from; of them the usable rows are taken.
        weights : float64 array, (K,)
            Of each date.
        """
        lib, rows = self.torch, self.data.rows(dates)
        x = self.data.x[rows]
        target = lib.as_tensor(self.data.y[rows].astype(np.float32))
        row_weights = np.broadcast_to(weights[:, None], rows.shape)[rows]
        share = lib.as_tensor(row_weights.astype(np.float32))
        generator = lib.Generator().manual_seed(self.SEED)
        network = Network(self.data.names, generator)
        parameters = list(network.modules.parameters())
        optimiser = lib.optim.Adam(parameters, lr=self.rate, weight_decay=1e-5)
        for _ in range(self.epochs):
            for batch in lib.randperm(len(target), generator=generator).split(self.batch):
                labels = target[batch, None].to(network.device)
                error = (network.forward(x[batch.numpy()]) - labels) ** 2
                error = error * share[batch, None].to(network.device)
                loss = error[:, 0].mean() + self.side_weight * error[:, 1:].mean()
                optimiser.zero_grad()
                loss.backward()
                lib.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimiser.step()
        state = network.modules.state_dict()
        return Gru(self.data.names, {name: part.cpu().numpy() for name, part in state.items()})
