#!/usr/bin/env python3
"""SFPNet on the industrial stand-in in plain PyTorch: a second program for the same protocol, to check scenarec against.

Written from the paper, and "done well": everything vectorised, dense torch Adam (foreach); data and loop are industrial.py's.

    python bench/peers/sfpnet.py --raw data/cache/simulated/lazada-12-... --blocks 3 --epochs 1 --threads 1
"""
from industrial import Data, parsed, parser, run

parser.add_argument("--blocks", type=int, default=3)
args = parsed()

import torch
from torch import nn
import torch.nn.functional as F

D, B, LEN, VALID, TEST = 40, 512, 50, 1704412800, 1704585600
USER, ITEM, ITEM_FIELDS, N = [8, 3, 50, 6, 5], [200, 2000, 3000, 10], [6, 7, 8, 9, 10], 13
data = Data(args.raw, LEN)
sizes = [data.users, *USER, data.items, *ITEM, 24, 20, 12]


# ---------------------------------------------------------------- model

class Gate(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(width + D, hidden), nn.LayerNorm(hidden), nn.Linear(hidden, width)

    def forward(self, z, s):
        return z * torch.sigmoid(self.b(self.norm(F.relu(self.a(torch.cat((z, s), 1))))))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        width = (N + 2) * D
        self.gate, self.c1, self.c2 = Gate(width, 256), nn.Linear(width, 256), nn.Linear(256, width)
        self.weight, self.bias = nn.Parameter(torch.empty(N, D, 2 * D)), nn.Parameter(torch.zeros(N, 1, 2 * D))
        for own in self.weight.data:
            nn.init.xavier_uniform_(own)
        self.behaviours = nn.Linear(D, 2 * D)

    def forward(self, x, v, mask, s):
        count = mask.sum(1, keepdim=True).clamp_min(1)
        mean = v.sum(1) / count
        variance = ((v - mean[:, None]) * mask[:, :, None]).square().sum(1) / count
        gated = self.gate(torch.cat((x.flatten(1), mean, (variance + 1e-8).sqrt()), 1), s)
        c = self.c2(F.relu(self.c1(gated))).view(len(x), N + 2, D)
        own = torch.baddbmm(self.bias, x.transpose(0, 1), self.weight).transpose(0, 1)
        x = F.relu(own[..., :D]) + torch.sigmoid(own[..., D:]) * c[:, :N]
        own = self.behaviours(v)
        v = (F.relu(own[..., :D]) + torch.sigmoid(own[..., D:]) * c[:, N:].sum(1, keepdim=True)) * mask[:, :, None]
        return x, v


class SfpNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(n, D) for n in sizes)
        self.blocks = nn.ModuleList(Block() for _ in range(args.blocks))
        self.din = nn.Sequential(nn.Linear(4 * D, 80), nn.ReLU(), nn.Linear(80, 40), nn.ReLU(), nn.Linear(40, 1))
        widths = [(N + 1) * D, 256, 128, 64]
        self.gates = nn.ModuleList(Gate(a, b) for a, b in zip(widths, widths[1:]))
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.out = nn.Linear(64, 1)
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.xavier_uniform_(p)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.zeros_(m.bias)

    def forward(self, ids, seq, mask):
        e = torch.stack([t(ids[:, i]) for i, t in enumerate(self.tables)], 1)
        x, s = e[:, :N], e[:, N]
        v = sum(self.tables[f](seq[..., j]) for j, f in enumerate(ITEM_FIELDS)) / 5 * mask[:, :, None]
        for block in self.blocks:
            x, v = block(x, v, mask, s)
        t = x[:, ITEM_FIELDS].mean(1)[:, None].expand_as(v)
        a = self.din(torch.cat((t, v, t - v, t * v), 2)).squeeze(2) * mask
        h = torch.cat((x.flatten(1), (a[:, None] @ v).squeeze(1)), 1)
        for gate, layer in zip(self.gates, self.layers):
            h = F.relu(layer(gate(h, s)))
        return self.out(h).squeeze(1)


# ---------------------------------------------------------------- training

def logits(rows):
    ids = torch.cat((data.user[rows], data.item[rows], data.context[rows], data.of_scenario[rows][:, None]), 1)
    return net(ids, *data.sequences(rows))


net = SfpNet()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-7, foreach=True)
loss = lambda rows: F.binary_cross_entropy_with_logits(logits(rows), data.label[rows])
run(args, data, loss, logits, optimizer, B, VALID, TEST)
