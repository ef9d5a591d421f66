"""PNN with inner products as CVAR's and CSDM's programs have it: golden cases pnn and pnn-train.

logit = MLP([flatten E ; <E_i, E_j> for i < j]), E = field embeddings.
"""
import torch

from common import (EMBEDDED, FLAT, HIDDEN, apply, embedded, generator, linear, mlp, mlp_weights, table_weights,
                    write_model)

PAIRS = [(i, j) for i in range(len(EMBEDDED)) for j in range(i + 1, len(EMBEDDED))]


def net_weights(seed):
    g = generator(seed)
    return table_weights(g) | mlp_weights(g, FLAT + len(PAIRS)) | linear(g, "mlp.out", HIDDEN[-1], 1)


def forward(p, x, train):
    fields = list(embedded(p, x).values())
    products = [(fields[i] * fields[j]).sum(1, keepdim=True) for i, j in PAIRS]
    return apply(p, "mlp.out", mlp(p, torch.cat(fields + products, 1), train))


if __name__ == "__main__":
    write_model("pnn", net_weights, forward)
