"""MWUF on a frozen DeepFM: golden cases mwuf and mwuf-train.

n: the item's row of the table N, s: the net's own embeddings of the side fields, u: a given mean user.
First loss: BCE(f(n, x), y), which trains N. Second: BCE(f(S(s) n + H(u), x), y) with n fixed, which trains S and H.
"""
import torch
import torch.nn.functional as F

import deepfm
from common import B, SIDE_WIDTH, TABLES, D, config, generator, make_batch, normal, write_case
from meta_e import net_side, two_layers, two_layers_weights

METHOD = ["name: mwuf", "side: listed", "no_users: row_user", "epochs: 1"]


def outcome(p, x, train, vector):
    logits = deepfm.forward(p, x, train, "net.", vector)
    loss = F.binary_cross_entropy_with_logits(logits[:, 0], x["label.click"])
    return {"logits": logits, "loss": loss, "generated": vector}


def cold_loss(p, x, train):
    return outcome(p, x, train, p["module.new.item_id"][x["ids.item_id"]])


def warm_loss(p, x, train):
    n = p["module.new.item_id"][x["ids.item_id"]].detach()
    scale, shift = two_layers(p, "module.scale", net_side(p, x)), two_layers(p, "module.shift", x["users"])
    return outcome(p, x, train, scale * n + shift)


def main():
    g = generator(41)
    table = {"module.new.item_id": normal(g, TABLES["item_id"], D)}
    networks = two_layers_weights(g, "module.scale", SIDE_WIDTH) | two_layers_weights(g, "module.shift", D)
    weights, batch = deepfm.net_weights(42, "net.") | table | networks, make_batch(43)
    batch["users"] = torch.randn(B, D, generator=g) * 0.3
    arguments = (config(METHOD), weights, batch, warm_loss, list(networks))
    first = (cold_loss, list(table))
    write_case("mwuf", "--module mwuf", *arguments, first=first)
    write_case("mwuf-train", "--train-no-dropout --steps 3 --module mwuf", *arguments, True, 3, first)


if __name__ == "__main__":
    main()
