"""Shared Bottom: golden case shared-bottom.

logit_{d,t} = tower_{d,t}(bottom(z)).
"""
from common import generator
from domains import D, EXPERT, TASKS, TOWER, World, network, row_by_row, run, tower, towers

WORLD = World()


def row(p, z, d):
    u = run(p, "bottom", z)
    return [tower(p, d * TASKS + t, u) for t in range(TASKS)]


if __name__ == "__main__":
    g = generator(1)
    weights = WORLD.weights(g) | network(g, "bottom", (WORLD.width, *EXPERT)) | towers(g)
    model = ["name: shared_bottom", f"dim: {D}", f"bottom: {list(EXPERT)}", f"tower: [{TOWER}]", "norm: layer",
             "dropout: 0.2", "init: torch"]
    WORLD.write("shared-bottom", model, weights, row_by_row(WORLD, row))
