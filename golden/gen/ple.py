"""PLE: golden cases ple (one level, CGC), ple-two-levels, and ple-batch-norm and ple-batch-norm-train (two levels), in
which a domain has one row.

Head k: q_k^l = sum over its own experts on q_k^{l-1} and the shared ones on q_s^{l-1}, weights softmax(W_k^l q_k^{l-1});
the shared unit: the sum over all experts, weights softmax(W_s^l q_s^{l-1}). All heads of all domains are computed, in
every level.
"""
from common import apply, generator, linear
from domains import (D, EXPERT, HEADS, TASKS, TOWER, WIDTH, World, affine, gated, head_by_head, layer, row_by_row,
                     run_copy, run_stacked, stacked, tower, tower_of_all, towers)

WORLD, ALONE, OWN, SHARED = World(), World(alone=True), 2, 2


def levels_of(p, z, run):
    """q_k of all heads; `run(name, copy, h)` is an expert."""
    q, q_shared, level = [z] * HEADS, z, "levels.0"
    while f"{level}.gates.weight" in p:
        own = [[run(f"{level}.specific", k * OWN + j, q[k]) for j in range(OWN)] for k in range(HEADS)]
        shared = [run(f"{level}.shared", j, q_shared) for j in range(SHARED)]
        q = [gated(affine(p, f"{level}.gates", k, q[k]), own[k] + shared) for k in range(HEADS)]
        if f"{level}.shared_gate.weight" in p:
            q_shared = gated(apply(p, f"{level}.shared_gate", q_shared), sum(own, []) + shared)
        level = f"levels.{int(level[-1]) + 1}"
    return q


def row(p, z, d):
    q = levels_of(p, z, lambda name, copy, h: run_stacked(p, name, copy, h))
    return [tower(p, k, q[k]) for k in range(d * TASKS, (d + 1) * TASKS)]


def heads(p, z, train):
    q = levels_of(p, z, lambda name, copy, h: run_copy(p, name, copy, h, train))
    return [tower_of_all(p, k, q[k], train) for k in range(HEADS)]


def write(case, levels, batch=False, train=False):
    g = generator(1)
    weights, width = WORLD.weights(g) | towers(g, batch=batch), WORLD.width
    for level in range(levels):
        name = f"levels.{level}"
        weights |= stacked(g, f"{name}.specific", HEADS * OWN, (width, *EXPERT), batch=batch)
        weights |= stacked(g, f"{name}.shared", SHARED, (width, *EXPERT), batch=batch)
        weights |= layer(g, f"{name}.gates", HEADS, width, OWN + SHARED)
        if level + 1 < levels:
            weights |= linear(g, f"{name}.shared_gate", width, HEADS * OWN + SHARED)
        width = WIDTH
    model = ["name: ple", f"dim: {D}", f"levels: {levels}", f"specific_experts: {OWN}", f"shared_experts: {SHARED}",
             f"expert: {list(EXPERT)}", f"tower: [{TOWER}]", f"norm: {'batch' if batch else 'layer'}", "dropout: 0.2",
             "init: torch"]
    if batch:
        return ALONE.write(case, model, weights, head_by_head(ALONE, heads), train)
    WORLD.write(case, model, weights, row_by_row(WORLD, row))


if __name__ == "__main__":
    write("ple", 1)
    write("ple-two-levels", 2)
    write("ple-batch-norm", 2, batch=True)
    write("ple-batch-norm-train", 2, batch=True, train=True)
