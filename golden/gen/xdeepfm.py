"""xDeepFM: golden cases xdeepfm and xdeepfm-train, and xdeepfm-identity: no linear term, no biases and no activation in the
interaction network.

logit = sum_f w_f + b + out([sum X^1 ; sum X^2 ; ...]) + MLP([flatten E ; reals]), E = field embeddings, w_f the weight of
field f's id (a bag's is the sum over its places), X^l_h = relu(sum_{i,j} W^l_{h,ij} X^{l-1}_i * E_j + b^l_h), X^0 = E.
"""
import torch
import torch.nn.functional as F

from common import (EMBEDDED, FLAT, HIDDEN, REALS, TABLES, apply, config, embedded, generator, linear, look_up,
                    make_batch, mlp, mlp_weights, normal, real_fields, table_weights, write_case, write_model)

CIN, FIELDS = (5, 4), len(EMBEDDED)


def net_weights(seed, plain=False):
    g = generator(seed)
    w = table_weights(g) | mlp_weights(g, FLAT + len(REALS)) | linear(g, "mlp.out", HIDDEN[-1], 1)
    before = FIELDS
    for l, maps in enumerate(CIN):
        # Products of products: smaller weights keep logits, and so their rounding, small.
        w[f"cin.{l}.weight"] = normal(g, maps, before * FIELDS, std=0.1)
        if not plain:
            w[f"cin.{l}.bias"] = normal(g, maps)
        before = maps
    w |= linear(g, "cin.out", sum(CIN), 1, 0.1)
    if not plain:
        w |= {f"linear.{name}": normal(g, rows, 1) for name, rows in TABLES.items()} | {"bias": normal(g, 1)}
    return w


def interactions(p, fields):
    """[B, 1]: map by map, pair by pair."""
    x, sums = fields, []
    for l, maps in enumerate(CIN):
        weight, before = p[f"cin.{l}.weight"], x
        pair = lambda h, i, j: weight[h, i * FIELDS + j] * before[i] * fields[j]
        x = [sum(pair(h, i, j) for i in range(len(before)) for j in range(FIELDS)) for h in range(maps)]
        if f"cin.{l}.bias" in p:
            x = [F.relu(m + b) for m, b in zip(x, p[f"cin.{l}.bias"])]
        sums += [m.sum(1) for m in x]
    return apply(p, "cin.out", torch.stack(sums, 1))


def forward(p, x, train):
    fields = list(embedded(p, x).values())
    logit = interactions(p, fields) + apply(p, "mlp.out", mlp(p, torch.cat([*fields, real_fields(x)], 1), train))
    if "bias" in p:
        logit = logit + sum(look_up(p, "linear.", name, x) for name in EMBEDDED) + p["bias"]
    return logit


def settings(plain):
    return [f"linear: {str(not plain).lower()}", f"cin: {list(CIN)}",
            f"cin_activation: {'identity' if plain else 'relu'}", f"cin_bias: {str(not plain).lower()}"]


if __name__ == "__main__":
    write_model("xdeepfm", net_weights, forward, settings(False), seed=5)

    def loss(p, x, train):
        z = forward(p, x, train)
        return {"logits": z, "loss": F.binary_cross_entropy_with_logits(z[:, 0], x["label.click"])}

    weights = net_weights(1, plain=True)
    trainable = [k for k in weights if ".running_" not in k]
    write_case("xdeepfm-identity", "", config(model="xdeepfm", more=settings(True)), weights, make_batch(2), loss,
               trainable)
