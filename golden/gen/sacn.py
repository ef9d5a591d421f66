"""SACN: golden cases sacn (in evaluation), sacn-train (with the contrast as printed), sacn-infonce-train, sacn-columns-train
(modulation by columns), sacn-dif-sr-train, sacn-asif-train, sacn-items (without attributes).

Row by row, scenario by scenario, over a row's own behaviours; places are padded to the most that fit, in front."""
import torch
import torch.nn.functional as F

from common import apply, generator, linear, normal
from sequences import B, D, FIELDS, LEN, NAMES, SCENARIOS, weights, write

HEADS, HIDDEN = 2, (7, 5)
C = D // HEADS
SEQUENCES = [("items", "item_id"), ("brands", "brand"), ("hours", "hour")]
ATTRIBUTES = [table for _, table in SEQUENCES if table != "item_id"]
WEIGHT, TEMPERATURE, ALIGN = 0.3, 0.5, 0.2
DEFAULT = dict(modulation="project", attributes="scenario_attention", weight=WEIGHT, denominator="all_scenarios")


def branch_weights(g, name, modulation):
    w = {f"{name}.project": normal(g, 3, D, D), f"{name}.out": normal(g, D, D)}
    if modulation == "project":
        w |= {f"{name}.modulation.{part}": normal(g, D * C, D) for part in ("scenario", "target")}
        w[f"{name}.modulation.bias"] = normal(g, D * C, mean=1)
    return w


def scores_weights(g, name):
    return {f"{name}.{part}.weight": normal(g, D, D) for part in ("query", "key")}


def norm_weights(g, name):
    return {f"{name}.weight": normal(g, D, mean=1), f"{name}.bias": normal(g, D)}


def rest_weights(g, name):
    w = {f"{name}.value.weight": normal(g, D, D)} | linear(g, f"{name}.out", D, D) | norm_weights(g, f"{name}.norm")
    w |= linear(g, f"{name}.inner", D, 4 * D) | linear(g, f"{name}.outer", 4 * D, D)
    return w | norm_weights(g, f"{name}.last_norm")


def model_weights(o):
    g = generator(1)
    w = weights(g) | {"domain": normal(g, SCENARIOS, D, std=1.0)} | branch_weights(g, "item", o["modulation"])
    m = len(ATTRIBUTES)
    if o["attributes"] == "scenario_attention":
        for name in ATTRIBUTES:
            w |= branch_weights(g, f"attributes.{name}", o["modulation"])
        w |= {"fusion.weight": normal(g, m, LEN, D, m), "fusion.bias": normal(g, m)}
    elif o["attributes"] == "dif_sr":
        w |= norm_weights(g, "dif_sr.norm") | scores_weights(g, "dif_sr.item")
        for j in range(m):
            w |= scores_weights(g, f"dif_sr.attributes.{j}")
        w |= scores_weights(g, "dif_sr.position") | {"dif_sr.positions": normal(g, LEN, D)}
        w |= linear(g, "dif_sr.gate.inner", LEN, LEN) | linear(g, "dif_sr.gate.outer", LEN, 1)
        w |= rest_weights(g, "dif_sr.rest")
    elif o["attributes"] == "asif":
        w |= scores_weights(g, "asif.content") | scores_weights(g, "asif.position")
        w |= {"asif.positions": normal(g, LEN, D)} | rest_weights(g, "asif.rest")
    width = (2 * LEN + len(FIELDS) + 1) * D
    if o["attributes"] == "none":
        width = (LEN + len(FIELDS) + 1 - m) * D
    for i, hidden in enumerate(HIDDEN):
        w |= linear(g, f"mlp.{i}.linear", width, hidden)
        width = hidden
    return w | linear(g, "mlp.out", width, 1)


def padded(v):
    """[LEN D], the most recent behaviour last."""
    return torch.cat((v.new_zeros(LEN - len(v), D), v)).flatten()


def preference(p, name, v, target, s, modulation):
    """Eqs. 1 to 3 of one row [n, D], head by head."""
    if modulation == "project":
        both = torch.cat((p[f"{name}.modulation.scenario"], p[f"{name}.modulation.target"]), 1)
        g = (both @ torch.cat((s, target)) + p[f"{name}.modulation.bias"]).view(D, C)
    else:
        g = torch.stack([(s, target)[c % 2] for c in range(C)], 1)
    heads = []
    for h in range(HEADS):
        q, k, x = (v @ (p[f"{name}.project"][i][:, h * C:(h + 1) * C] * g) for i in range(3))
        heads.append(torch.softmax(q @ k.T / C ** 0.5, 1) @ x)
    return torch.cat(heads, 1) @ p[f"{name}.out"]


def fused(p, parts):
    """Eq. 4."""
    flat = torch.cat([padded(v) for v in parts])
    alpha = torch.softmax(flat @ p["fusion.weight"].flatten(0, 2) + p["fusion.bias"], 0)
    return sum(a * v for a, v in zip(alpha, parts))


def heads_of(x):
    return x.view(len(x), HEADS, C).transpose(0, 1)


def scores(p, name, x):
    q, k = (heads_of(x @ p[f"{name}.{part}.weight"]) for part in ("query", "key"))
    return q @ k.transpose(1, 2)


def norm(p, name, x):
    return F.layer_norm(x, (D,), p[f"{name}.weight"], p[f"{name}.bias"])


def rest(p, name, x, s):
    joined = (torch.softmax(s, 2) @ heads_of(x @ p[f"{name}.value.weight"])).transpose(0, 1).reshape(len(x), D)
    x = norm(p, f"{name}.norm", x + apply(p, f"{name}.out", joined))
    return norm(p, f"{name}.last_norm", x + apply(p, f"{name}.outer", F.gelu(apply(p, f"{name}.inner", x))))


def dif_sr(p, items, attributes):
    n = len(items)
    items = norm(p, "dif_sr.norm", items)
    sources = [scores(p, "dif_sr.item", items)]
    sources += [scores(p, f"dif_sr.attributes.{j}", a) for j, a in enumerate(attributes)]
    sources += [scores(p, "dif_sr.position", p["dif_sr.positions"][LEN - n:])]
    mixed = torch.zeros_like(sources[0])
    for h in range(HEADS):
        for i in range(n):
            rows = torch.stack([F.pad(s[h, i], (LEN - n, 0)) for s in sources])
            gates = torch.softmax(apply(p, "dif_sr.gate.outer", F.relu(apply(p, "dif_sr.gate.inner", rows)))[:, 0], 0)
            mixed[h, i] = (gates @ rows)[LEN - n:]
    return rest(p, "dif_sr.rest", items, mixed / C ** 0.5)


def asif(p, items, attributes):
    side = sum(attributes)
    along = [(f @ x) / (x @ x + 1e-8) * x for f, x in zip(side, items)]
    content = items + torch.stack(along) if along else items
    s = scores(p, "asif.content", content) + scores(p, "asif.position", p["asif.positions"][LEN - len(items):])
    return rest(p, "asif.rest", content, s / (2 * C) ** 0.5)


def alignment(items, side):
    """Of one row, the sums over its behaviours, item to attributes and back."""
    unit = lambda x: x / torch.sqrt((x * x).sum(1, keepdim=True) + 1e-8)
    similarity = unit(items) @ unit(side).T / TEMPERATURE
    own = torch.arange(len(items))
    return F.cross_entropy(similarity, own, reduction="sum") + F.cross_entropy(similarity.T, own, reduction="sum")


def contrast(anchor, positive, views, own, denominator):
    """Eqs. 5 and 6 of one row, term by term."""
    f = lambda a, b: torch.exp(F.cosine_similarity(a, b, dim=0, eps=1e-8) / TEMPERATURE)
    below = sum(f(anchor, v) for k, v in enumerate(views) if denominator == "all_scenarios" or k != own)
    if denominator != "all_scenarios":
        below = below + f(anchor, positive)
    return -torch.log(f(anchor, positive) / below)


def logits_of(o):
    def logits(p, x, train):
        z, losses, aligned = [], [], []
        for b in range(B):
            n, t = int((x["seq.items"][b] > 0).sum()), int(x["scenario"][b])
            sequence = {table: p[f"embedding.{table}"][x[f"seq.{name}"][b, :n]] for name, table in SEQUENCES}
            target = {name: p[f"embedding.{name}"][x[f"ids.{name}"][b]] for name in NAMES}
            view = lambda name, table, k: preference(p, name, sequence[table], target[table], p["domain"][k], o["modulation"])
            items = [view("item", "item_id", k) for k in range(SCENARIOS)]
            others, attributes = [sequence[a] for a in ATTRIBUTES], None
            if o["attributes"] == "scenario_attention":
                attributes = [fused(p, [view(f"attributes.{a}", a, k) for a in ATTRIBUTES]) for k in range(SCENARIOS)]
            elif o["attributes"] != "none":
                encoder = dif_sr if o["attributes"] == "dif_sr" else asif
                attributes = [encoder(p, sequence["item_id"], others)] * SCENARIOS
            # What is left out gets a gradient of zeros, not none.
            fields = torch.stack([target[name] for name in NAMES])
            kept = [i for i, name in enumerate(NAMES) if attributes or name not in ATTRIBUTES]
            parts = [padded(items[t])] + ([padded(attributes[t])] if attributes else [])
            parts += [fields[kept].flatten(), p["domain"][t]]
            h = torch.cat(parts)
            for i in range(len(HIDDEN)):
                h = F.relu(apply(p, f"mlp.{i}.linear", h))
            z.append(apply(p, "mlp.out", h)[0])
            if n and attributes and o["weight"]:
                flat = lambda views: [v.flatten() for v in views]
                anchor, positive = items[t].flatten(), attributes[t].flatten()
                loss = contrast(anchor, positive, flat(items), t, o["denominator"])
                if o["attributes"] == "scenario_attention":     # else constant
                    loss = loss + contrast(anchor, positive, flat(attributes), t, o["denominator"])
                losses.append(loss)
            if n and o["attributes"] == "asif":
                aligned.append(alignment(sequence["item_id"], sum(others)) / (2 * n))
        z, more = torch.stack(z), 0
        if train and losses:
            more = more + o["weight"] * sum(losses) / B
        if train and aligned:
            more = more + ALIGN * sum(aligned) / B
        return z, more
    return logits


def case(name, train=False, seed=2, **changes):
    o = DEFAULT | changes
    lines = ["name: sacn", f"dim: {D}", f"heads: {HEADS}", f"modulation: {o['modulation']}", f"attributes: {o['attributes']}",
             f"contrast: {{weight: {o['weight']}, temperature: {TEMPERATURE}, denominator: {o['denominator']}}}",
             f"alignment: {{weight: {ALIGN}, temperature: {TEMPERATURE}}}", f"hidden: {list(HIDDEN)}", "init: torch"]
    write(name, lines, model_weights(o), logits_of(o), train, seed, sequences=SEQUENCES)


if __name__ == "__main__":
    case("sacn")
    case("sacn-train", train=True)
    case("sacn-infonce-train", train=True, seed=3, denominator="positive_and_others")
    case("sacn-columns-train", train=True, modulation="columns")
    case("sacn-dif-sr-train", train=True, attributes="dif_sr")
    case("sacn-asif-train", train=True, attributes="asif")
    case("sacn-items", attributes="none")
