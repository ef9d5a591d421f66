"""PEPNet: golden cases pepnet (a scenario field, pooled behaviours, a further field of the prior) and pepnet-reals (real numbers,
two tasks, a scenario table of the model's own, no ids named, layer norm).

o = gate([s ; sg(E)]) E, h_0 = o, h_{l+1} = ReLU(W_l (gate_l([P ; s ; sg(o)]) h_l) + b_l), sg stops gradients.
"""
import torch
import torch.nn.functional as F

import domains
import sequences
from common import apply, generator, linear, normal, stop

HIDDEN, DIN = (7, 5), (6, 3)
SCENARIO = sequences.NAMES.index("domain")
PRIOR = [sequences.NAMES.index(name) for name in ("user_id", "item_id", "brand")]


def gate_weights(g, name, inputs, outputs):
    return linear(g, f"{name}.in", inputs, outputs) | linear(g, f"{name}.out", outputs, outputs)


def gate(p, name, z):
    return 2 * torch.sigmoid(apply(p, f"{name}.out", F.relu(apply(p, f"{name}.in", z))))


def model_weights(g, width, d, prior, outputs, norm):
    """`width` is E's, d the scenario's, `prior` that of the prior's fields."""
    w, inputs = gate_weights(g, "epnet", d + width, width), width
    for l, out in enumerate((*HIDDEN, outputs)):
        w |= gate_weights(g, f"gates.{l}", prior + d + width, inputs)
        last = l == len(HIDDEN)
        w |= linear(g, "tower.out" if last else f"tower.{l}.linear", inputs, out)
        if norm and not last:
            w |= {f"tower.{l}.norm.weight": normal(g, out, mean=1), f"tower.{l}.norm.bias": normal(g, out)}
        inputs = out
    return w


def row(p, e, s, prior):
    """The logits of one row."""
    o = gate(p, "epnet", torch.cat((s, stop(e)))) * e
    seen, h = torch.cat((prior, s, stop(o))), o
    for l in range(len(HIDDEN)):
        h = apply(p, f"tower.{l}.linear", gate(p, f"gates.{l}", seen) * h)
        if f"tower.{l}.norm.weight" in p:
            h = F.layer_norm(h, h.shape, p[f"tower.{l}.norm.weight"], p[f"tower.{l}.norm.bias"])
        h = F.relu(h)
    return apply(p, "tower.out", gate(p, f"gates.{len(HIDDEN)}", seen) * h)


def settings(d, prior, norm):
    return ["name: pepnet", f"dim: {d}", f"prior: [{prior}]", f"hidden: {list(HIDDEN)}", f"norm: {norm}", "dropout: 0.2",
            "init: torch"]


def logits(p, x, train):
    out = []
    for fields, v in sequences.rows(p, x):
        pooled = sequences.din(p, "behaviours", fields[sequences.ITEM].mean(0), v)
        e = [f for i, f in enumerate(fields) if i != SCENARIO] + [pooled]
        out.append(row(p, torch.cat(e), fields[SCENARIO], fields[PRIOR].flatten())[0])
    return torch.stack(out)


def with_reals(world):
    def logits(p, x, train):
        out = []
        for i, e in enumerate(world.flat(p, x)):
            prior = p["embedding.gender"][x["ids.gender"][i]]
            out.append(row(p, e, p["domain"][x["scenario"][i]], prior))
        return torch.stack(out)
    return logits


if __name__ == "__main__":
    d = sequences.D
    g = generator(1)
    weights = sequences.weights(g) | sequences.din_weights(g, "behaviours", DIN)
    weights |= model_weights(g, len(sequences.NAMES) * d, d, len(PRIOR) * d, 1, False)
    behaviours = f"behaviours: {{tokens: mean, pooling: {{din: {{hidden: {list(DIN)}, softmax: false}}}}}}"
    sequences.write("pepnet", settings(d, "brand", "none") + [behaviours], weights, logits)

    world, d = domains.World(indicator=False), domains.D
    g = generator(1)
    weights = world.weights(g) | {"domain": normal(g, domains.DOMAINS, d)}
    weights |= model_weights(g, world.width, d, d, domains.TASKS, True)
    world.write("pepnet-reals", settings(d, "gender", "layer"), weights, with_reals(world))
