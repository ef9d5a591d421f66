"""DeepFM as CVAR's and CSDM's programs have it: golden cases deepfm, deepfm-train; with DropoutNet's mean
item, dropoutnet.

logit = sum_r w_r x_r + 1/2 sum_d [(sum_f E_f)^2 - sum_f E_f^2] + MLP(flatten E), E = field embeddings, then x_r v_r.
"""
import torch
import torch.nn.functional as F

from common import (BUFFERS, D, FLAT, HIDDEN, REALS, apply, config, embedded, generator, linear, make_batch, mlp, mlp_weights,
                    normal, real_fields, table_weights, write_case, write_model)


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


def mean_item_loss(p, x, train):
    """Every item has the mean of all items' embeddings, a constant: the item table has no gradient and stays."""
    mean = p["embedding.item_id"].detach().mean(0).expand(len(x["ids.item_id"]), -1)
    logits = forward(p, x, train, item=mean)
    return {"logits": logits, "loss": F.binary_cross_entropy_with_logits(logits[:, 0], x["label.click"])}


def main():
    write_model("deepfm", net_weights, forward)
    # In training mode a constant input has no gradient before batch norm but rounding, which Adam makes steps of.
    weights = net_weights(7)
    trainable = [k for k in weights if not k.endswith(BUFFERS)]
    write_case("dropoutnet", "--mean-item --steps 3", config(), weights, make_batch(8), mean_item_loss, trainable,
               False, 3)


if __name__ == "__main__":
    main()
