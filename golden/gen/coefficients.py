"""Prints CSDM's schedule and the sampler's linear responses, the unit values of the sampler's tests. Writes nothing.

With eps = 0 a pass from h ends at r h; with eps = 1 everywhere it ends at r h + q.
"""
import math

import torch

from csdm import BETA, T, sample, schedule

alpha, c = schedule("c")
print(f"alpha_100 {alpha[T]:.8f}  sqrt(1 - alpha_100) {math.sqrt(1 - alpha[T]):.6f}")
print("c_t      " + "  ".join(f"{t}: {c[t]:.8f}" for t in (0, 1, 2, 6, 10, 50, 91, 96, 100)))
print("sqrt c_t " + "  ".join(f"{t}: {math.sqrt(c[t]):.8f}" for t in (1, 10, 50, 91, 96)))

# as printed in Eq. 12: each term of the denominator with alpha_t in place of alpha_T
printed = [sum(math.sqrt(alpha[t] / alpha[k]) for k in range(1, t + 1))
           / sum(math.sqrt(alpha[t] / alpha[k]) for k in range(1, T + 1)) for t in range(T + 1)]
print(f"largest difference of c_t with alpha_t in the denominator: {max(abs(a - b) for a, b in zip(c, printed)):.2e}")

one = torch.ones(1, dtype=torch.float64)
for coefficient in ("c", "sqrt_c"):
    for stride in (10, 5, 1):
        r = float(sample(lambda z, i: torch.zeros_like(z), one, coefficient, stride))
        q = float(sample(lambda z, i: torch.ones_like(z), 0 * one, coefficient, stride))
        print(f"{coefficient:6} stride {stride:2}: r {r:.6f} ({r:.9f})  response to eps = 1 {q:.6f} ({q:.9f})")
