"""M2M for binary labels: golden cases m2m (a table of domains of the model's own) and m2m-indicator (the domain is a field).

S = knowledge([e_d ; user and context fields]); a meta layer on u is W u + b with the row's own matrix W = sum_j S_j V_j + v
and b = U S + u0, made here for every row. lrelu is the leaky ReLU.
"""
import torch
import torch.nn.functional as F

from common import apply, generator, linear, normal
from domains import D, DOMAINS, EXPERT, TASKS, WIDTH, World, affine, layer, network, run

EXPERTS, UNITS, KNOWLEDGE, HIDDEN, TOWER_LAYERS = 3, 5, 3, 6, 2


def meta(p, name, knowledge, u):
    one = torch.cat((knowledge, torch.ones_like(knowledge[:1])))
    matrix = sum(s * p[f"{name}.weight"][:, j] for j, s in enumerate(one))
    return u @ matrix + sum(s * p[f"{name}.bias"][j] for j, s in enumerate(one))


def logits_of(world):
    known = [name for name, role, rows in world.fields if rows and role in ("user", "context")]
    known_reals = [name for name, role, rows in world.fields if not rows and role in ("user", "context")]
    domain, ids = ("embedding.domain", "ids.domain") if "domain" in world.tables else ("domain", "scenario")

    def logits(p, x, train):
        lrelu = lambda h: F.leaky_relu(h, 0.01)
        tasks = [lrelu(apply(p, "task", p["tasks"][t])) for t in range(TASKS)]
        out = []
        for i, z in enumerate(world.flat(p, x)):
            seen = [p[domain][x[ids][i]]] + [p[f"embedding.{name}"][x[f"ids.{name}"][i]] for name in known]
            seen = torch.cat(seen + [x[f"real.{name}"][i, None] for name in known_reals])
            knowledge = apply(p, "knowledge.out", run(p, "knowledge", seen))
            shared = run(p, "bottom", z)
            experts = [lrelu(affine(p, "experts", e, shared)) for e in range(EXPERTS)]
            row = []
            for t in range(TASKS):
                units = [lrelu(meta(p, "attention", knowledge, torch.cat((e, tasks[t])))) for e in experts]
                attention = torch.softmax(torch.stack([u @ p["score"] for u in units]), 0)
                h = sum(a * e for a, e in zip(attention, experts))
                for j in range(TOWER_LAYERS):
                    h = lrelu(meta(p, f"tower.{j}", knowledge, h) + h)
                row.append(h @ p["out.weight"][t] + p["out.bias"][t])
            out.append(torch.stack(row))
        return torch.stack(out)
    return logits


def meta_weights(g, name, inputs):
    return {f"{name}.weight": normal(g, inputs, KNOWLEDGE + 1, UNITS), f"{name}.bias": normal(g, KNOWLEDGE + 1, UNITS)}


def write(case, indicator):
    g, world = generator(1), World(indicator)
    w = world.weights(g) | network(g, "bottom", (world.width, *EXPERT))
    if not indicator:
        w["domain"] = normal(g, DOMAINS, D, std=1.0)
    # Two user fields and the hour.
    w |= network(g, "knowledge", (3 * D + 1, HIDDEN)) | linear(g, "knowledge.out", HIDDEN, KNOWLEDGE)
    w |= layer(g, "experts", EXPERTS, WIDTH, UNITS) | linear(g, "task", D, UNITS) | linear(g, "out", UNITS, TASKS)
    # Where a unit has one sign for all experts of a row, attention does not depend on the task but for rounding: experts
    # differ.
    w["experts.weight"] *= 4
    w |= {"tasks": normal(g, TASKS, D, std=1.0), "score": normal(g, UNITS)} | meta_weights(g, "attention", 2 * UNITS)
    for j in range(TOWER_LAYERS):
        w |= meta_weights(g, f"tower.{j}", UNITS)
    model = ["name: m2m", f"dim: {D}", f"bottom: {list(EXPERT)}", f"knowledge: [{HIDDEN}, {KNOWLEDGE}]",
             f"experts: {EXPERTS}", f"width: {UNITS}", f"tower_layers: {TOWER_LAYERS}", "norm: layer", "dropout: 0.2",
             "init: torch"]
    world.write(case, model, w, logits_of(world))


if __name__ == "__main__":
    write("m2m", False)
    write("m2m-indicator", True)
