"""MARIA: golden cases maria (pooled behaviours, all four groups), maria-reals (real numbers, two tasks, no behaviours) and
maria-batch-norm-train (training mode, selectors that do not draw).

q = [fields ; reals], scaled by 2 sigmoid(scaling([sg(q) ; e])) and cut into groups; every group is refined, groups are
correlated by pairs; a mixture of experts for the row's scenario, its own tower, and a shared tower times the coupling. The
functions are for one row or, with batch norm, for all rows, which pass all heads.
"""
import torch
import torch.nn.functional as F

import domains
import sequences
from common import apply, generator, linear, normal, stop
from domains import affine, gated, layer, run_copy, run_stacked, stacked

SCALING, REFINED, COMMON, EXPERTS, EXPERT, TOWER = 9, 5, 3, 3, (8, 6), 5
REFINERS = {"behaviours": 3, "user": 1, "item": 2, "context": 1}
TEMPERATURE = 0.7
DIN = (6, 3)


def columns(widths):
    """The columns of q by group, from the groups and widths of its parts."""
    out, at = {}, 0
    for group, width in widths:
        out.setdefault(group, []).extend(range(at, at + width))
        at += width
    return {group: out[group] for group in REFINERS if group in out}


def model_weights(g, groups, d, scenarios, tasks, batch=False):
    width = sum(map(len, groups.values()))
    w = {"domain": normal(g, scenarios, d, std=1.0)} | linear(g, "scaling.0.linear", width + d, SCALING)
    if batch:
        # Before batch norm a bias has no gradient but rounding; away from zero its decay outweighs that.
        w["scaling.0.linear.bias"] += 2 * w["scaling.0.linear.bias"].sign()
        w |= {"scaling.0.norm.weight": normal(g, SCALING, mean=1), "scaling.0.norm.bias": normal(g, SCALING)}
        w["scaling.0.norm.running_mean"] = normal(g, SCALING)
        w["scaling.0.norm.running_var"] = (0.5 + torch.rand(SCALING, generator=g)).double()
    w |= linear(g, "scaling.out", SCALING, width)
    h = len(groups) * (len(groups) - 1) // 2
    for group, own in groups.items():
        n = REFINERS[group]
        w |= layer(g, f"groups.{group}.refiners", n, len(own), REFINED)
        if n > 1:
            w |= linear(g, f"groups.{group}.selector", len(own) + d, n)
        w |= linear(g, f"groups.{group}.common", n * REFINED, COMMON)
        h += n * REFINED
    w |= stacked(g, "experts", EXPERTS, (h, *EXPERT), batch, batch) | layer(g, "gates", scenarios * tasks, h, EXPERTS)
    for name, copies in (("towers", scenarios * tasks), ("extra", tasks)):
        w |= stacked(g, name, copies, (EXPERT[-1], TOWER), batch, batch) | layer(g, f"{name}.out", copies, TOWER, 1)
    return w


def coupling(p, d):
    """The mean similarity of scenario d's vector and the others', pair by pair."""
    e = p["domain"]
    others = [torch.sigmoid(e[d] @ e[k] / (e[d].norm() * e[k].norm())) for k in range(len(e)) if k != d]
    return sum(others) / len(others)


def network(p, name, copy, h, train):
    """A copy of stacked networks: on one row, or with batch norm on all rows."""
    return run_copy(p, name, copy, h, train) if h.dim() == 2 else run_stacked(p, name, copy, h)


def tower(p, name, copy, u, train):
    return affine(p, f"{name}.out", copy, network(p, name, copy, u, train))[..., 0]


def scales(p, z, train):
    h = apply(p, "scaling.0.linear", z)
    if h.dim() == 2:
        norm = [p[f"scaling.0.norm.{k}"] for k in ("running_mean", "running_var", "weight", "bias")]
        h = F.batch_norm(h, *norm, train)
    return 2 * torch.sigmoid(apply(p, "scaling.out", F.relu(h)))


def refine(p, group, q, e):
    n = REFINERS[group]
    parts = [F.relu(affine(p, f"groups.{group}.refiners", j, q)) for j in range(n)]
    if n > 1:
        beta = torch.softmax(apply(p, f"groups.{group}.selector", torch.cat((q, e), -1)) / TEMPERATURE, -1)
        parts = [beta[..., j:j + 1] * part for j, part in enumerate(parts)]
    return torch.cat(parts, -1)


def refined(p, q, e, groups, train):
    q = scales(p, torch.cat((stop(q), e), -1), train) * q
    z = {group: refine(p, group, q[..., own], e) for group, own in groups.items()}
    common = [apply(p, f"groups.{group}.common", z[group]) for group in z]
    products = [(common[f] * common[g]).sum(-1, keepdim=True) for f in range(len(z)) for g in range(f + 1, len(z))]
    return torch.cat((*z.values(), *products), -1)


def row(p, q, d, groups, tasks):
    """The logits of one row of scenario d."""
    h = refined(p, q, p["domain"][d], groups, False)
    experts = [network(p, "experts", i, h, False) for i in range(EXPERTS)]
    out = []
    for t in range(tasks):
        u = gated(affine(p, "gates", d * tasks + t, h), experts)
        out.append(tower(p, "towers", d * tasks + t, u, False) + coupling(p, d) * tower(p, "extra", t, u, False))
    return torch.stack(out)


def head_by_head(p, q, scenario, groups, train):
    """The logits of all rows for the one task."""
    h = refined(p, q, p["domain"][scenario], groups, train)
    experts = [network(p, "experts", i, h, train) for i in range(EXPERTS)]
    u = [gated(affine(p, "gates", k, h), experts) for k in range(len(p["domain"]))]
    heads = [tower(p, "towers", k, of_head, train) for k, of_head in enumerate(u)]
    rows = list(enumerate(scenario.tolist()))
    shared = tower(p, "extra", 0, torch.stack([u[d][i] for i, d in rows]), train)
    return torch.stack([heads[d][i] + coupling(p, d) * shared[i] for i, d in rows])


def settings(d, norm, sampling):
    refiners = ", ".join(f"{group}: {n}" for group, n in REFINERS.items())
    return ["name: maria", f"dim: {d}", f"scaling: [{SCALING}]", f"refiners: {{{refiners}}}", f"refined: {REFINED}",
            f"temperature: {TEMPERATURE}", f"sampling: {sampling}", f"correlation: {COMMON}", f"experts: {EXPERTS}",
            f"expert: {list(EXPERT)}", f"tower: [{TOWER}]", f"norm: {norm}", "dropout: 0.2", "init: torch"]


def group_of(role):
    return "context" if role == "scenario" else role


def with_behaviours(groups):
    def logits(p, x, train):
        q = []
        for fields, v in sequences.rows(p, x):
            q.append(torch.cat((fields.flatten(), sequences.din(p, "behaviours", fields[sequences.ITEM].mean(0), v))))
        if train:
            return head_by_head(p, torch.stack(q), x["scenario"], groups, train)
        return torch.stack([row(p, own, int(d), groups, 1)[0] for own, d in zip(q, x["scenario"])])
    return logits


def case(name, norm, sampling, train, seed=1):
    d, g = sequences.D, generator(seed)
    groups = columns([(group_of(role), d) for _, role, _ in sequences.FIELDS] + [("behaviours", d)])
    weights = sequences.weights(g) | sequences.din_weights(g, "behaviours", DIN)
    weights |= model_weights(g, groups, d, sequences.SCENARIOS, 1, norm == "batch")
    lines = settings(d, norm, sampling)
    lines.append(f"behaviours: {{tokens: mean, pooling: {{din: {{hidden: {list(DIN)}, softmax: false}}}}}}")
    sequences.write(name, lines, weights, with_behaviours(groups), train)


def case_with_reals():
    world, d, g = domains.World(), domains.D, generator(1)
    embedded = sorted(world.fields, key=lambda f: f[2] is None)     # the real ones last
    groups = columns([(group_of(role), d if rows else 1) for _, role, rows in embedded])
    weights = world.weights(g) | model_weights(g, groups, d, domains.DOMAINS, domains.TASKS)

    def logits(p, x, train):
        rows = zip(world.flat(p, x), x["scenario"].tolist())
        return torch.stack([row(p, q, d, groups, domains.TASKS) for q, d in rows])

    world.write("maria-reals", settings(d, "none", "true"), weights, logits)


if __name__ == "__main__":
    case("maria", "none", "true", False)
    # Weights under which rounding stays small.
    case("maria-batch-norm-train", "batch", "false", True, seed=2)
    case_with_reals()
