"""MMoE: golden case mmoe.

logit_{d,t} = tower_{d,t}(sum_i g_i f_i(z)), g = softmax(W_{d,t} z + b_{d,t}).
"""
from common import generator
from domains import (D, EXPERT, HEADS, TASKS, TOWER, World, affine, gated, layer, row_by_row, run_stacked, stacked,
                     tower, towers)

WORLD, EXPERTS = World(), 3


def row(p, z, d):
    experts = [run_stacked(p, "experts", i, z) for i in range(EXPERTS)]
    heads = range(d * TASKS, (d + 1) * TASKS)
    return [tower(p, k, gated(affine(p, "gates", k, z), experts)) for k in heads]


if __name__ == "__main__":
    g = generator(1)
    weights = WORLD.weights(g) | stacked(g, "experts", EXPERTS, (WORLD.width, *EXPERT))
    weights |= layer(g, "gates", HEADS, WORLD.width, EXPERTS) | towers(g)
    model = ["name: mmoe", f"dim: {D}", f"experts: {EXPERTS}", f"expert: {list(EXPERT)}", f"tower: [{TOWER}]",
             "norm: layer", "dropout: 0.2", "init: torch"]
    WORLD.write("mmoe", model, weights, row_by_row(WORLD, row))
