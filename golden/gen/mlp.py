"""One multilayer perceptron for one domain and one task: golden case mlp."""
from common import apply, generator, linear
from domains import D, TOWER, WIDTH, EXPERT, World, network, row_by_row, run

WORLD = World(single=True)


def row(p, z, d):
    return [apply(p, "mlp.out", run(p, "mlp", z))[0]]


if __name__ == "__main__":
    g = generator(1)
    weights = WORLD.weights(g) | network(g, "mlp", (WORLD.width, *EXPERT, TOWER)) | linear(g, "mlp.out", TOWER, 1)
    hidden = ", ".join(map(str, (*EXPERT, TOWER)))
    model = ["name: mlp", f"dim: {D}", f"hidden: [{hidden}]", "norm: layer", "dropout: 0.2", "init: torch"]
    WORLD.write("mlp", model, weights, row_by_row(WORLD, row))
