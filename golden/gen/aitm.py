"""AITM: golden cases aitm (layer norm, the data's order, one attention for all transfers), and aitm-batch-norm and
aitm-batch-norm-train (another order, an attention for each transfer, the funnel loss; one domain has one row).

logit_{d,t} = tower_{d,t}(z_d), q_d = bottom_d(z); z_d = q_d for the first domain in the order, else sum_u w_u h1(u) over
u in (info(z_before), q_d), w = softmax_u(<h2(u), h3(u)> / sqrt E). Funnel loss: alpha times the sum over transfers of the
mean of max(y_d - y_before, 0).
"""
import torch

from common import generator
from domains import (D, EXPERT, TASKS, TOWER, WIDTH, World, affine, layer, own, row_by_row, run_copy,
                     run_stacked, stacked, tower, tower_of_all, towers)

DOMAINS, FUNNEL = 3, 0.6
WORLD, ALONE = World(domains=DOMAINS), World(domains=DOMAINS, alone=True)


def transferred(p, order, bottom):
    """z_d of all domains, of one row or of all; `bottom(d)` is q_d."""
    z = {order[0]: bottom(order[0])}
    for step, (before, d) in enumerate(zip(order, order[1:])):
        name, first = ("attention", 0) if "attention.weight" in p else ("transfers.attention", 3 * step)
        both = (affine(p, "transfers.info", step, z[before]), bottom(d))
        h = lambda i, u: affine(p, name, first + i, u)
        scores = torch.stack([(h(1, u) * h(2, u)).sum(-1) for u in both], -1) / WIDTH ** 0.5
        weights = torch.exp(scores) / torch.exp(scores).sum(-1, keepdim=True)
        z[d] = sum(weights[..., i:i + 1] * h(0, u) for i, u in enumerate(both))
    return z


def row(p, z, d):
    of = transferred(p, range(DOMAINS), lambda domain: run_stacked(p, "bottoms", domain, z))
    return [tower(p, k, of[d]) for k in range(d * TASKS, (d + 1) * TASKS)]


ORDER = (2, 0, 1)


def funnelled(p, x, train):
    z = ALONE.flat(p, x)
    of = transferred(p, ORDER, lambda d: run_copy(p, "bottoms", d, z, train))
    heads = [tower_of_all(p, d * TASKS + t, of[d], train) for d in range(DOMAINS) for t in range(TASKS)]
    y = [torch.sigmoid(torch.stack(heads[d * TASKS:(d + 1) * TASKS], 1)) for d in ORDER]
    return own(heads, x), FUNNEL * sum((b - a).clamp(min=0).mean() for a, b in zip(y, y[1:]))


def net_weights(batch):
    # Of the second's towers none has an input that is nearly the same for all rows, which batch norm would magnify.
    g = generator(3 if batch else 1)
    w = WORLD.weights(g) | stacked(g, "bottoms", DOMAINS, (WORLD.width, *EXPERT), batch=batch)
    w |= layer(g, "transfers.info", DOMAINS - 1, WIDTH, WIDTH)
    if batch:
        w |= layer(g, "transfers.attention", 3 * (DOMAINS - 1), WIDTH, WIDTH)
        # The last transfer's h1 goes to towers alone, whose batch norm takes its bias back: as in `stacked`.
        bias = w["transfers.attention.bias"][3 * (DOMAINS - 2)]
        bias += bias.sign()
    else:
        w |= layer(g, "attention", 3, WIDTH, WIDTH)
    return w | towers(g, heads=DOMAINS * TASKS, batch=batch)


def model(order, shared, funnel, norm):
    return ["name: aitm", f"dim: {D}", f"bottom: {list(EXPERT)}", f"tower: [{TOWER}]", f"order: {order}",
            f"shared_attention: {shared}", f"funnel: {funnel}", f"norm: {norm}", "dropout: 0.2", "init: torch"]


if __name__ == "__main__":
    WORLD.write("aitm", model("schema", "true", 0.0, "layer"), net_weights(False), row_by_row(WORLD, row))
    names = ", ".join(f"d{d}" for d in ORDER)
    text = model(f"{{scenarios: [{names}]}}", "false", FUNNEL, "batch")
    for case, train in (("aitm-batch-norm", False), ("aitm-batch-norm-train", True)):
        ALONE.write(case, text, net_weights(True), funnelled, train)
