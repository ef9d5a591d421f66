"""STAR: golden cases star and star-train (the paper's form) and star-reduced (M3oE's authors' form).

The paper's: partitioned normalisation of each domain's rows, star layers (W * W_d) x + b + b_d with ReLU between them, an
auxiliary network on [e_d ; z], logits added. The reduced one: h = relu(LN(W_c f + b_c)) + relu(LN(W_a z + b_a)),
f = (W * W_d) z + b + b_d, under a network that all domains share.
"""
import torch
import torch.nn.functional as F

from common import apply, generator, linear, normal
from domains import D, DOMAINS, TASKS, World, network, row_by_row, run

WORLD, HIDDEN, AUXILIARY = World(), (8, 6), 5
STAR, REPRESENTATION, BLOCKS = 9, 7, (6, 5)


def partitioned_norm(p, z, domain, train):
    """Row by row; running statistics are updated in place."""
    out = [None] * len(z)
    for d in range(DOMAINS):
        rows = [i for i in range(len(z)) if domain[i] == d]
        mean, var = p["norm.running_mean"][d], p["norm.running_var"][d]
        if train:
            own = torch.stack([z[i] for i in rows])
            mean, var = own.mean(0), own.var(0, unbiased=False)
            with torch.no_grad():
                p["norm.running_mean"][d] += 0.1 * (mean - p["norm.running_mean"][d])
                p["norm.running_var"][d] += 0.1 * (own.var(0, unbiased=True) - p["norm.running_var"][d])
        scale = p["norm.weight"] * p["norm.own_weight"][d]
        for i in rows:
            out[i] = scale * (z[i] - mean) / torch.sqrt(var + 1e-5) + p["norm.bias"] + p["norm.own_bias"][d]
    return out


def original(p, x, train):
    z, domain = WORLD.flat(p, x), x["scenario"].tolist()
    out = []
    for i, h in enumerate(partitioned_norm(p, z, domain, train)):
        d = domain[i]
        for layer in range(len(HIDDEN) + 1):
            name = f"layers.{layer}"
            h = F.relu(h) if layer else h
            h = h @ (p[f"{name}.weight"] * p[f"{name}.own_weight"][d]) + p[f"{name}.bias"] + p[f"{name}.own_bias"][d]
        both = torch.cat((p["embedding.domain"][x["ids.domain"][i]], z[i]))
        out.append(h + apply(p, "auxiliary.out", F.relu(apply(p, "auxiliary.0.linear", both))))
    return torch.stack(out)


def reduced(p, z, d):
    name = "representation"
    star = z @ (p[f"{name}.star.own"][d] * p[f"{name}.star.shared"])
    star = star + p[f"{name}.star.own_bias"][d] + p[f"{name}.star.shared_bias"]
    block = lambda part, h: F.relu(F.layer_norm(apply(p, f"{name}.{part}.linear", h), (REPRESENTATION,),
                                                p[f"{name}.{part}.norm.weight"], p[f"{name}.{part}.norm.bias"]))
    return list(apply(p, "mlp.out", run(p, "mlp", block("specific", star) + block("agnostic", z))))


def star_weights(g, name, inputs, outputs):
    own = {f"{name}.own_weight": normal(g, DOMAINS, inputs, outputs, mean=1), f"{name}.own_bias": normal(g, DOMAINS, outputs)}
    return own | {f"{name}.weight": normal(g, inputs, outputs), f"{name}.bias": normal(g, outputs)}


def original_weights():
    g, width = generator(1), WORLD.width
    w = WORLD.weights(g)
    w |= {"norm.weight": normal(g, width, mean=1), "norm.bias": normal(g, width)}
    w |= {"norm.own_weight": normal(g, DOMAINS, width, mean=1), "norm.own_bias": normal(g, DOMAINS, width)}
    w["norm.running_mean"] = normal(g, DOMAINS, width)
    w["norm.running_var"] = (0.5 + torch.rand(DOMAINS, width, generator=g)).double()
    ends = (width, *HIDDEN, TASKS)
    for i, (inputs, outputs) in enumerate(zip(ends, ends[1:])):
        w |= star_weights(g, f"layers.{i}", inputs, outputs)
    return w | linear(g, "auxiliary.0.linear", D + width, AUXILIARY) | linear(g, "auxiliary.out", AUXILIARY, TASKS)


def reduced_weights():
    g, width = generator(1), WORLD.width
    w = WORLD.weights(g)
    star = star_weights(g, "representation.star", width, STAR)
    w |= {k.replace("own_weight", "own").replace("star.weight", "star.shared").replace("star.bias", "star.shared_bias"): v
          for k, v in star.items()}
    for part, inputs in (("specific", STAR), ("agnostic", width)):
        one = network(g, "layer", (inputs, REPRESENTATION))
        w |= {k.replace("layer.0", f"representation.{part}"): v for k, v in one.items()}
    return w | network(g, "mlp", (REPRESENTATION, *BLOCKS)) | linear(g, "mlp.out", BLOCKS[-1], TASKS)


def model(form):
    return ["name: star", f"dim: {D}", f"form: {form}", "dropout: 0.2", "init: torch"]


if __name__ == "__main__":
    form = model(f"{{original: {{hidden: {list(HIDDEN)}, auxiliary: [{AUXILIARY}]}}}}")
    for case, train in (("star", False), ("star-train", True)):
        WORLD.write(case, form, original_weights(), original, train)
    form = f"{{reduced: {{star: {STAR}, representation: {REPRESENTATION}, hidden: {list(BLOCKS)}}}}}"
    WORLD.write("star-reduced", model(form), reduced_weights(), row_by_row(WORLD, reduced))
