"""Wide & Deep as CVAR's and CSDM's programs have it: golden cases wide-deep and wide-deep-train.

logit = sum_r w_r x_r + MLP(flatten E), E = field embeddings.
"""
import torch

from common import (FLAT, HIDDEN, REALS, apply, embedded, generator, linear, mlp, mlp_weights, normal, real_fields,
                    table_weights, write_model)


def net_weights(seed):
    g = generator(seed)
    w = table_weights(g) | {"wide.weight": normal(g, len(REALS))}
    return w | mlp_weights(g, FLAT) | linear(g, "mlp.out", HIDDEN[-1], 1)


def forward(p, x, train):
    wide = sum(weight * value for weight, value in zip(p["wide.weight"], real_fields(x).T))
    deep = mlp(p, torch.cat(list(embedded(p, x).values()), 1), train)
    return wide[:, None] + apply(p, "mlp.out", deep)


if __name__ == "__main__":
    write_model("wide_deep", net_weights, forward)
