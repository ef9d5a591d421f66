"""A saved DeepFM (safetensors, docs/parity.md) as a plain PyTorch module; logits of the rows in an example.

    python examples/load_net.py net.safetensors net.json net.example.safetensors
"""
import json
import sys

import torch
from safetensors.torch import load_file
from torch import nn


class DeepFM(nn.Module):
    """Names of its state are the file's; widths are read off it. Fields are ids, or bags whose padding is summed."""

    def __init__(self, state, inputs):
        super().__init__()
        self.inputs = inputs
        empty = lambda prefix: {k[len(prefix):]: nn.Parameter(v) for k, v in state.items() if k.startswith(prefix)}
        self.embedding, self.reals = nn.ParameterDict(empty("embedding.")), nn.ParameterDict(empty("reals."))
        self.first_order, self.mlp = nn.ParameterDict(empty("first_order.")), nn.ModuleDict()
        for i in range(sum(k.endswith("linear.weight") for k in state)):
            out, width = state[f"mlp.{i}.linear.weight"].shape
            self.mlp[str(i)] = nn.ModuleDict({"linear": nn.Linear(width, out), "norm": nn.BatchNorm1d(out)})
        self.mlp["out"] = nn.Linear(out, 1)
        # num_batches_tracked is all that the file lacks.
        assert all("num_batches" in k for k in self.load_state_dict(state, strict=False).missing_keys)

    def forward(self, x):
        vectors, reals = [], [x[i["name"]] for i in self.inputs if i["holds"] == "reals"]
        for i in self.inputs:
            field = i["name"].partition(".")[2]
            if i["holds"] == "ids":
                vectors.append(self.embedding[field][x[i["name"]]])
            elif i["holds"] == "list":
                ids, there = x[i["name"]], x[f"length.{field}"][:, None]
                table, most = self.embedding[field], i["pooling"]["sum_padded"]["len"]
                own = torch.arange(ids.shape[1]) < there
                vectors.append((table[ids] * own[..., None]).sum(1) + (most - there).clamp(min=0) * table[0])
        vectors += [value[:, None] * self.reals["weight"][r] for r, value in enumerate(reals)]
        e = torch.stack(vectors, 1)
        deep = e.flatten(1)
        for i in range(len(self.mlp) - 1):
            deep = self.mlp[str(i)]["norm"](self.mlp[str(i)]["linear"](deep)).relu()
        pairs = 0.5 * (e.sum(1).square() - e.square().sum(1)).sum(1, keepdim=True)
        linear = torch.stack(reals, 1) @ self.first_order["weight"][:, None]
        return linear + pairs + self.mlp["out"](deep)


if __name__ == "__main__":
    state, card, example = load_file(sys.argv[1]), json.load(open(sys.argv[2])), load_file(sys.argv[3])
    model = DeepFM(state, card["inputs"]).eval()
    with torch.no_grad():
        logits = model(example)
    print(f"{len(logits)} rows, at most {float((logits - example['logits']).abs().max()):.1e} from the net's own logits")
