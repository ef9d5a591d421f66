"""DCN as CVAR's and CSDM's programs have it: golden cases dcn and dcn-train.

logit = out([x_L ; MLP(x_0)]), x_0 = flatten E, x_{l+1} = x_0 (w_l . x_l) + b_l + x_l, E = field embeddings.
"""
import torch

from common import (FLAT, HIDDEN, apply, embedded, generator, linear, mlp, mlp_weights, normal, table_weights,
                    write_model)

LAYERS = 3


def net_weights(seed):
    g = generator(seed)
    # Crossing multiplies: smaller weights keep logits, and so their rounding, small.
    w = table_weights(g) | {"cross.weight": normal(g, LAYERS, FLAT, std=0.1), "cross.bias": normal(g, LAYERS, FLAT)}
    return w | mlp_weights(g, FLAT) | linear(g, "out", FLAT + HIDDEN[-1], 1, 0.1)


def forward(p, x, train):
    x0 = torch.cat(list(embedded(p, x).values()), 1)
    crossed = x0
    for weight, bias in zip(p["cross.weight"], p["cross.bias"]):     # layer by layer, not the closed form
        crossed = x0 * (crossed @ weight)[:, None] + bias + crossed
    return apply(p, "out", torch.cat((crossed, mlp(p, x0, train)), 1))


if __name__ == "__main__":
    write_model("dcn", net_weights, forward, [f"layers: {LAYERS}"])
