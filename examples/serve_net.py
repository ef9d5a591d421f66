"""An exported net in PyTorch, without this project: logits of the rows in an example.

    python examples/serve_net.py net.pt
"""
import json
import sys

import torch
from safetensors.torch import load_file

stem = sys.argv[1].removesuffix(".pt")
card, example = json.load(open(f"{stem}.json")), load_file(f"{stem}.example.safetensors")

net = torch.jit.load(f"{stem}.pt")
logits = net(**{i["argument"]: example[i["name"]] for i in card["inputs"]})

far = float((logits - example["logits"]).abs().max() / (1 + example["logits"].abs().max()))
print(f"{stem}: {len(logits)} rows, logits within {far:.1e}, {len(net.state_dict())} tensors")
assert far < 1e-5, "other logits than the net's"
