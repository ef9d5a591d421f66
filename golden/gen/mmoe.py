"""MMoE: golden cases mmoe, and mmoe-batch-norm and mmoe-batch-norm-train, in which a domain has one row.

logit_{d,t} = tower_{d,t}(sum_i g_i f_i(z)), g = softmax(W_{d,t} z + b_{d,t}).
"""
from common import generator
from domains import (D, EXPERT, HEADS, TASKS, TOWER, World, affine, gated, head_by_head, layer, row_by_row, run_copy,
                     run_stacked, stacked, tower, tower_of_all, towers)

WORLD, ALONE, EXPERTS = World(), World(alone=True), 3


def row(p, z, d):
    experts = [run_stacked(p, "experts", i, z) for i in range(EXPERTS)]
    heads = range(d * TASKS, (d + 1) * TASKS)
    return [tower(p, k, gated(affine(p, "gates", k, z), experts)) for k in heads]


def heads(p, z, train):
    experts = [run_copy(p, "experts", i, z, train) for i in range(EXPERTS)]
    return [tower_of_all(p, k, gated(affine(p, "gates", k, z), experts), train) for k in range(HEADS)]


def net_weights(batch):
    g = generator(1)
    weights = WORLD.weights(g) | stacked(g, "experts", EXPERTS, (WORLD.width, *EXPERT), batch=batch)
    return weights | layer(g, "gates", HEADS, WORLD.width, EXPERTS) | towers(g, batch=batch)


def model(norm):
    return ["name: mmoe", f"dim: {D}", f"experts: {EXPERTS}", f"expert: {list(EXPERT)}", f"tower: [{TOWER}]",
            f"norm: {norm}", "dropout: 0.2", "init: torch"]


if __name__ == "__main__":
    WORLD.write("mmoe", model("layer"), net_weights(False), row_by_row(WORLD, row))
    for case, train in (("mmoe-batch-norm", False), ("mmoe-batch-norm-train", True)):
        ALONE.write(case, model("batch"), net_weights(True), head_by_head(ALONE, heads), train)
