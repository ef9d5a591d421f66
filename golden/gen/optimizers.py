"""Writes golden/optimizers.safetensors: parameters under torch.optim's dense optimisers, fed sparse gradients.

    python golden/gen/optimizers.py [OUT]

Per case `NAME`: `NAME.lrs` [steps] f64; look-ups as in `Bags`, all steps in a row: `NAME.ids` [n] i32, `NAME.grads`
[n, dim] f32 (d loss / d looked-up row), `NAME.counts` [steps] i32 (ids per step; -1: the step does not use the table,
its gradient is None); `NAME.fresh` [k] i32 (steps before which a new optimiser is made); and `NAME.weights`
[len(marks), rows, dim] f32, the parameter after each of the steps in `NAME.marks` (after 0 steps first).
The cases' settings are repeated in crates/train/tests/optimizer_golden.rs.
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file

ROWS, DIM, STEPS = 50, 8, 300
MARKS = [0, 1, 10, 100, 200, 300]

CASES = {
    "adam": lambda p: torch.optim.Adam(p, lr=1e-3),
    "adam_decay": lambda p: torch.optim.Adam(p, lr=1e-3, weight_decay=1e-3),
    "adam_betas": lambda p: torch.optim.Adam(p, lr=1e-3, betas=(0.5, 0.99), eps=1e-5),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=1e-2),
    "adagrad_decay": lambda p: torch.optim.Adagrad(
        p, lr=1e-2, lr_decay=1e-3, initial_accumulator_value=0.1, weight_decay=1e-3
    ),
    "sgd": lambda p: torch.optim.SGD(p, lr=1e-1),
    "sgd_decay": lambda p: torch.optim.SGD(p, lr=1e-1, weight_decay=1e-3),
    "sgd_momentum": lambda p: torch.optim.SGD(p, lr=1e-1, momentum=0.9),
    "sgd_momentum_decay": lambda p: torch.optim.SGD(p, lr=1e-1, momentum=0.9, weight_decay=1e-3),
}


def trajectory(make, rng):
    weight = torch.nn.Parameter(0.1 * torch.randn(ROWS, DIM, generator=rng))
    optimizer = make([weight])
    base = optimizer.param_groups[0]["lr"]
    fresh = [220]
    out = {"lrs": [], "ids": [], "grads": [], "counts": [], "weights": [weight.detach().clone()]}
    for step in range(STEPS):
        if step in fresh:
            optimizer = make([weight])
        # Warm-up, a constant part, a lower constant part.
        lr = base * (min(1.0, (step + 1) / 20) if step < 150 else 0.3)
        optimizer.param_groups[0]["lr"] = lr
        optimizer.zero_grad(set_to_none=True)
        out["lrs"].append(lr)
        if step % 7 == 3:
            out["counts"].append(-1)
        else:
            # Few ids of a skewed distribution: some rows are touched often, some once, some never.
            n = int(torch.randint(0, 4, (1,), generator=rng))
            ids = (torch.rand(n, generator=rng) ** 2 * (ROWS - 5)).long()
            grads = 0.02 * torch.randn(n, DIM, generator=rng)
            (torch.nn.functional.embedding(ids, weight) * grads).sum().backward()
            out["counts"].append(n)
            out["ids"].append(ids)
            out["grads"].append(grads)
        optimizer.step()
        if step + 1 in MARKS:
            out["weights"].append(weight.detach().clone())
    return {
        "lrs": torch.tensor(out["lrs"], dtype=torch.float64),
        "ids": torch.cat(out["ids"]).to(torch.int32),
        "grads": torch.cat(out["grads"]),
        "counts": torch.tensor(out["counts"], dtype=torch.int32),
        "fresh": torch.tensor(fresh, dtype=torch.int32),
        "marks": torch.tensor(MARKS, dtype=torch.int32),
        "weights": torch.stack(out["weights"]),
    }


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    path = sys.argv[1] if len(sys.argv) > 1 else root / "golden" / "optimizers.safetensors"
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(20)
    tensors = {}
    for name, make in CASES.items():
        for key, tensor in trajectory(make, rng).items():
            tensors[f"{name}.{key}"] = tensor.contiguous()
    save_file(tensors, path, metadata={"torch": torch.__version__, "rows": str(ROWS), "dim": str(DIM)})


if __name__ == "__main__":
    main()
