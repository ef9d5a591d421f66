"""Writes golden/optimizers-rmsprop.safetensors: a dense parameter under torch.optim.RMSprop, fed given gradients.

    python golden/gen/optimizers_rmsprop.py [OUT]

Per case `NAME`: `NAME.lrs` [steps] f64; `NAME.grads` [steps, n] f32; `NAME.used` [steps] i32 (0: the step does not use the
parameter, its gradient is None); and `NAME.weights` [len(marks), n] f32, the parameter after each of the steps in
`NAME.marks` (after 0 steps first). The cases' settings are repeated in crates/train/tests/optimizer_golden.rs.
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file

N, STEPS = 12, 300
MARKS = [0, 1, 10, 100, 300]

CASES = {
    "rmsprop": dict(lr=1e-3),
    "rmsprop_decay": dict(lr=1e-3, weight_decay=1e-2),
    "rmsprop_alpha": dict(lr=1e-2, alpha=0.9, eps=1e-3),
}


def trajectory(settings, rng):
    weight = torch.nn.Parameter(0.5 * torch.randn(N, generator=rng))
    optimizer = torch.optim.RMSprop([weight], foreach=False, **settings)
    # Gradients of several sizes; their mean moves the weights in one direction.
    grads = (0.02 + 0.1 * torch.randn(STEPS, N, generator=rng)) * torch.logspace(-4, 1, N)
    lrs, used, weights = [], [], [weight.detach().clone()]
    for step in range(STEPS):
        lr = settings["lr"] * (1.0 if step < 150 else 0.3)
        optimizer.param_groups[0]["lr"] = lr
        optimizer.zero_grad(set_to_none=True)
        lrs.append(lr)
        used.append(int(step % 7 != 3))
        if used[-1]:
            (weight * grads[step]).sum().backward()
        optimizer.step()
        if step + 1 in MARKS:
            weights.append(weight.detach().clone())
    return {
        "lrs": torch.tensor(lrs, dtype=torch.float64),
        "grads": grads,
        "used": torch.tensor(used, dtype=torch.int32),
        "marks": torch.tensor(MARKS, dtype=torch.int32),
        "weights": torch.stack(weights),
    }


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    path = sys.argv[1] if len(sys.argv) > 1 else root / "golden" / "optimizers-rmsprop.safetensors"
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(21)
    tensors = {}
    for name, settings in CASES.items():
        for key, tensor in trajectory(settings, rng).items():
            tensors[f"{name}.{key}"] = tensor.contiguous()
    save_file(tensors, path, metadata={"torch": torch.__version__})


if __name__ == "__main__":
    main()
