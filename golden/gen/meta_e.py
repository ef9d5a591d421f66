"""Meta-E's generator on a frozen DeepFM: golden cases meta-e and meta-e-train.

v = W2 relu(W1 s + b1) + b2, s: the net's own embeddings of the side fields. l_a = BCE(f(v, x_a), y_a),
v' = v - rate dl_a/dv with the gradient part of the graph, l_b = BCE(f(v', x_b), y_b). loss = 0.1 l_a + 0.9 l_b.
The rate is far above the released one, so that the second order counts.
"""
import torch
import torch.nn.functional as F

import deepfm
from common import SIDE_REALS, SIDE_TABLES, SIDE_WIDTH, D, apply, cast, config, generator, linear, look_up, make_batch, \
    write_case

RATE, WEIGHT = 8.0, 0.1
METHOD = ["name: meta-e", "side: listed", f"inner_lr: {RATE}", f"support_weight: {WEIGHT}", "epochs: 1"]
OF_ITEM = ("ids.item_id", "ids.year", "seq.title", "seq.genres", "real.count", "scenario")


def two_layers(p, name, x):
    return apply(p, f"{name}.out", F.relu(apply(p, f"{name}.0.linear", x)))


def two_layers_weights(g, name, inputs, std=0.3):
    return linear(g, f"{name}.0.linear", inputs, 16, std) | linear(g, f"{name}.out", 16, D, std)


def net_side(p, x):
    parts = [look_up(p, "net.embedding.", name, x) for name in SIDE_TABLES]
    return torch.cat(parts + [x[f"real.{name}"][:, None] for name in SIDE_REALS], 1)


def loss_with(second_order):
    def loss(p, x, train):
        query = {k.removeprefix("query."): v for k, v in x.items() if k.startswith("query.")}
        v = two_layers(p, "module.generate", net_side(p, x))
        if not v.requires_grad:                      # the numeric check differentiates nothing else
            v.requires_grad_(True)
        bce = lambda logits, rows: F.binary_cross_entropy_with_logits(logits[:, 0], rows["label.click"])
        before = bce(deepfm.forward(p, x, train, "net.", v), x)
        gradient, = torch.autograd.grad(before, v, create_graph=True)
        updated = v - RATE * (gradient if second_order else gradient.detach())
        logits = deepfm.forward(p, query, train, "net.", updated)
        return {"logits": logits, "loss": WEIGHT * before + (1 - WEIGHT) * bce(logits, query), "generated": v}
    return loss


def check_second_order(weights, batch, names, train):
    """Without the inner gradient in the graph the gradients would be plainly others."""
    def gradient(second_order):
        p = {k: v.clone() for k, v in cast(weights, torch.float64).items()}
        loss = loss_with(second_order)({**p, **{n: p[n].requires_grad_(True) for n in names}},
                                       cast(batch, torch.float64), train)["loss"]
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, [p[n] for n in names])])
    full, first = gradient(True), gradient(False)
    assert (full - first).norm() > 0.05 * full.norm(), ((full - first).norm(), full.norm())


def main():
    module = two_layers_weights(generator(31), "module.generate", SIDE_WIDTH)
    weights, batch, other = deepfm.net_weights(32, "net.") | module, make_batch(33), make_batch(34)
    batch |= {f"query.{k}": (batch if k in OF_ITEM else other)[k].clone() for k in list(batch)}
    arguments = (config(METHOD), weights, batch, loss_with(True), list(module))
    for train in (False, True):
        check_second_order(weights, batch, list(module), train)
    write_case("meta-e", "--module meta-e", *arguments)
    write_case("meta-e-train", "--train-no-dropout --steps 3 --module meta-e", *arguments, True, 3)


if __name__ == "__main__":
    main()
