"""Draw ``mc_dropout.svg``: the masks of torch's dropout, and those of alkit's posterior samples.

Run it with ``python docs/pictures/mc_dropout.py``; the picture is saved beside this file. Both halves show masks that
were really drawn, of a network that is nothing but a dropout layer, asked about rows of ones.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.colors import ListedColormap
from torch import nn

from alkit.nets.mc_dropout import DropoutSampler

N_ROWS, N_SAMPLES, N_UNITS = 6, 3, 10
PATH = Path(__file__).with_suffix(".svg")


def masks_by_torch(net, rows):
    """Return which units are kept in each of K passes with dropout switched on: (n, K, D)."""
    torch.manual_seed(0)
    net.train()
    return torch.stack([net(rows) for _ in range(N_SAMPLES)], dim=1) > 0


def masks_by_alkit(net, rows):
    """Return which units are kept in each of K posterior samples: (n, K, D)."""
    with DropoutSampler(net, n_samples=N_SAMPLES, seed=3) as sampler:
        return sampler(rows) > 0


def draw(axes, kept, title, note):
    """Draw one matrix of rows and units per sample; dropped units are left white."""
    for k, ax in enumerate(axes):
        ax.imshow(kept[:, k].numpy(), cmap=ListedColormap(["white", "#3a7ca5"]), vmin=0, vmax=1, aspect="equal")
        ax.set_xticks([x - 0.5 for x in range(1, N_UNITS)], minor=True)
        ax.set_yticks([y - 0.5 for y in range(1, N_ROWS)], minor=True)
        ax.grid(which="minor", color="#9aa5b1", linewidth=0.6)
        ax.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
        ax.set_title(f"k = {k + 1}", fontsize=10)
    axes[0].set_ylabel(f"{title}\n\nrows", fontsize=10)
    axes[1].set_xlabel(note, fontsize=10)


def main(path=PATH):
    """Draw both and save them."""
    plt.rcParams.update({"svg.hashsalt": "alkit", "svg.fonttype": "none", "font.family": "sans-serif"})
    net, rows = nn.Sequential(nn.Dropout(0.5)), torch.ones(N_ROWS, N_UNITS)
    figure, axes = plt.subplots(2, N_SAMPLES, figsize=(8.4, 4.6), layout="constrained")
    draw(axes[0], masks_by_torch(net, rows), "torch", "in each of K passes, each row meets a network of its own")
    draw(axes[1], masks_by_alkit(net, rows), "alkit", "sample k is one network, which all rows of the pool meet")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
