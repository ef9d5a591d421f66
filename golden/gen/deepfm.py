"""DeepFM as CVAR's and CSDM's programs have it: golden cases deepfm, deepfm-train; with DropoutNet's mean
item, dropoutnet.

logit = sum_r w_r x_r + 1/2 sum_d [(sum_f E_f)^2 - sum_f E_f^2] + MLP(flatten E), E = field embeddings, then x_r v_r.
"""
import torch
import torch.nn.functional as F

from common import (D, EMBEDDED, HIDDEN, REALS, TABLES, apply, config, generator, linear, look_up, make_batch, normal,
                    write_case)

BUFFERS = ("running_mean", "running_var")


def net_weights(seed, prefix=""):
    g = generator(seed)
    w = {f"embedding.{name}": normal(g, rows, D) for name, rows in TABLES.items()}
    w["reals.weight"], w["first_order.weight"] = normal(g, len(REALS), D), normal(g, len(REALS))
    width = (len(EMBEDDED) + len(REALS)) * D
    for i, hidden in enumerate(HIDDEN):
        w |= linear(g, f"mlp.{i}.linear", width, hidden)
        # Before batch norm a bias has no gradient but rounding; away from zero its decay outweighs that.
        w[f"mlp.{i}.linear.bias"] += w[f"mlp.{i}.linear.bias"].sign()
        w[f"mlp.{i}.norm.weight"], w[f"mlp.{i}.norm.bias"] = normal(g, hidden, mean=1), normal(g, hidden)
        w[f"mlp.{i}.norm.running_mean"] = normal(g, hidden)
        w[f"mlp.{i}.norm.running_var"] = (0.5 + torch.rand(hidden, generator=g)).double()
        width = hidden
    w |= linear(g, "mlp.out", width, 1)
    return {prefix + k: v for k, v in w.items()}


def forward(p, x, train, prefix="", item=None):
    """[B, 1] logits; `item` [B, D] replaces the item id's embedding."""
    own = {k[len(prefix):]: v for k, v in p.items() if k.startswith(prefix)}
    vectors = {name: look_up(own, "embedding.", name, x) for name in EMBEDDED}
    if item is not None:
        vectors["item_id"] = item
    reals = torch.stack([x[f"real.{name}"] for name in REALS], 1)
    fields = list(vectors.values()) + [reals[:, r, None] * own["reals.weight"][r] for r in range(len(REALS))]

    logit = reals @ own["first_order.weight"]
    for i in range(len(fields)):                     # the pairs themselves, not the identity
        for j in range(i):
            logit = logit + (fields[i] * fields[j]).sum(1)
    h = torch.cat(fields, 1)
    for i in range(len(HIDDEN)):
        h = apply(own, f"mlp.{i}.linear", h)
        norm = {k: own[f"mlp.{i}.norm.{k}"] for k in ("weight", "bias", *BUFFERS)}
        h = F.relu(F.batch_norm(h, norm["running_mean"], norm["running_var"], norm["weight"], norm["bias"], train))
    return logit[:, None] + apply(own, "mlp.out", h)


def loss(p, x, train):
    logits = forward(p, x, train)
    return {"logits": logits, "loss": F.binary_cross_entropy_with_logits(logits[:, 0], x["label.click"])}


def mean_item_loss(p, x, train):
    """Every item has the mean of all items' embeddings, a constant: the item table has no gradient and stays."""
    mean = p["embedding.item_id"].detach().mean(0).expand(len(x["ids.item_id"]), -1)
    logits = forward(p, x, train, item=mean)
    return {"logits": logits, "loss": F.binary_cross_entropy_with_logits(logits[:, 0], x["label.click"])}


def main():
    weights, batch = net_weights(1), make_batch(2)
    trainable = [k for k in weights if not k.endswith(BUFFERS)]
    write_case("deepfm", "", config(), weights, batch, loss, trainable)
    train = "--train-no-dropout --steps 3"
    write_case("deepfm-train", train, config(), weights, batch, loss, trainable, True, 3)
    # In training mode a constant input has no gradient before batch norm but rounding, which Adam makes steps of.
    write_case("dropoutnet", "--mean-item --steps 3", config(), net_weights(7), make_batch(8), mean_item_loss, trainable,
               False, 3)


if __name__ == "__main__":
    main()
