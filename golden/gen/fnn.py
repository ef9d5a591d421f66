"""FNN: golden cases fnn and fnn-train.

logit = MLP([flatten E ; reals]), E = field embeddings.
"""
import torch

from common import (FLAT, HIDDEN, REALS, apply, embedded, generator, linear, mlp, mlp_weights, real_fields,
                    table_weights, write_model)


def net_weights(seed):
    g = generator(seed)
    return table_weights(g) | mlp_weights(g, FLAT + len(REALS)) | linear(g, "mlp.out", HIDDEN[-1], 1)


def forward(p, x, train):
    z = torch.cat([*embedded(p, x).values(), real_fields(x)], 1)
    return apply(p, "mlp.out", mlp(p, z, train))


if __name__ == "__main__":
    write_model("fnn", net_weights, forward, seed=5)
