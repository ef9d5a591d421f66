"""DeepFM as CVAR's and CSDM's programs have it: golden cases deepfm and deepfm-train.

logit = sum_r w_r x_r + 1/2 sum_d [(sum_f E_f)^2 - sum_f E_f^2] + MLP(flatten E), E = field embeddings, then x_r v_r.
"""
import torch

from common import (D, FLAT, HIDDEN, REALS, apply, embedded, generator, linear, mlp, mlp_weights, normal, real_fields,
                    table_weights, write_model)


def net_weights(seed, prefix=""):
    g = generator(seed)
    w = table_weights(g)
    w["reals.weight"], w["first_order.weight"] = normal(g, len(REALS), D), normal(g, len(REALS))
    w |= mlp_weights(g, FLAT + len(REALS) * D) | linear(g, "mlp.out", HIDDEN[-1], 1)
    return {prefix + k: v for k, v in w.items()}


def forward(p, x, train, prefix="", item=None):
    """[B, 1] logits; `item` [B, D] replaces the item id's embedding."""
    own = {k[len(prefix):]: v for k, v in p.items() if k.startswith(prefix)}
    vectors = embedded(own, x)
    if item is not None:
        vectors["item_id"] = item
    reals = real_fields(x)
    fields = list(vectors.values()) + [reals[:, r, None] * own["reals.weight"][r] for r in range(len(REALS))]

    logit = reals @ own["first_order.weight"]
    for i in range(len(fields)):                     # the pairs themselves, not the identity
        for j in range(i):
            logit = logit + (fields[i] * fields[j]).sum(1)
    return logit[:, None] + apply(own, "mlp.out", mlp(own, torch.cat(fields, 1), train))


if __name__ == "__main__":
    write_model("deepfm", net_weights, forward)
