#!/usr/bin/env python3
"""SACN on its industrial stand-in in plain PyTorch: a second program for the same protocol, to check scenarec against.

Written from the paper, and "done well": everything vectorised, all scenarios in one pass, dense torch Adagrad (foreach); data and
loop are industrial.py's. `--split` takes the modulation apart as scenarec does (scenario's part and target's part).

    python bench/peers/sacn.py --raw data/cache/simulated/dewu-8-... --epochs 1 --threads 1
"""
from industrial import Data, parsed, parser, run

parser.add_argument("--gamma", type=float, default=0.05)
parser.add_argument("--split", action="store_true")
args = parsed()

import torch
from torch import nn
import torch.nn.functional as F

D, B, LEN, K, H, TAU, VALID, TEST = 32, 1024, 20, 8, 4, 0.1, 1717027200, 1717113600
C, ATTRIBUTES = D // H, {"price": (4, 20), "category": (1, 300), "brand": (2, 400)}     # column among the item's, values
data = Data(args.raw, LEN)


# ---------------------------------------------------------------- model

class Preference(nn.Module):
    def __init__(self):
        super().__init__()
        self.project, self.out = nn.Parameter(torch.empty(3, D, D)), nn.Parameter(torch.empty(D, D))
        self.modulation = nn.Linear(2 * D, D * C)
        for own in (*self.project.data, self.out.data, self.modulation.weight.data):
            nn.init.xavier_uniform_(own)
        self.modulation.weight.data *= 0.1
        nn.init.ones_(self.modulation.bias)

    def forward(self, v, mask, target, scenarios):
        """v [B, L, D], scenarios [B, k, D] -> [B, k, L, D]"""
        b, l, _ = v.shape
        k = scenarios.shape[1]
        w = self.project.view(3, D, H, C).transpose(0, 1)                               # [D, 3, H, C]
        if args.split:
            ws, wt = self.modulation.weight.split(D, 1)
            own = (w[None] * (target @ wt.T).view(b, D, 1, 1, C)).flatten(2)
            if k == K:
                shared = (w[None] * (scenarios[0] @ ws.T + self.modulation.bias).view(k, D, 1, 1, C)).transpose(0, 1)
                qkv = (v @ shared.reshape(D, -1)).view(b, l, k, -1) + (v @ own)[:, :, None]
            else:
                g = (w[None] * (scenarios[:, 0] @ ws.T + self.modulation.bias).view(b, D, 1, 1, C)).flatten(2)
                qkv = (v @ (g + own))[:, :, None]
        else:
            g = self.modulation(torch.cat((scenarios, target[:, None].expand(-1, k, -1)), 2)).view(b, k, D, 1, 1, C)
            qkv = (v[:, None] @ (w * g).flatten(3)).transpose(1, 2)
        q, key, x = qkv.reshape(b, l, k, 3, H, C).permute(3, 0, 2, 4, 1, 5)
        scores = q @ key.transpose(-1, -2) / C ** 0.5 + ((1 - mask) * -1e9)[:, None, None, None]
        out = (scores.softmax(-1) @ x).transpose(2, 3).reshape(b, k, l, D) @ self.out
        return out * mask[:, None, :, None]


class Sacn(nn.Module):
    def __init__(self):
        super().__init__()
        self.items, self.domain, self.indicator = nn.Embedding(data.items, D), nn.Embedding(K, D), nn.Embedding(K, D)
        self.tables = nn.ModuleList(nn.Embedding(n, D) for _, n in ATTRIBUTES.values())
        self.item, self.attributes = Preference(), nn.ModuleList(Preference() for _ in ATTRIBUTES)
        m = len(ATTRIBUTES)
        self.fusion = nn.Linear(m * LEN * D, m)
        widths = [(2 * LEN + m + 3) * D, 256, 128, 64]
        layers = [layer for a, b in zip(widths, widths[1:]) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.mlp = nn.Sequential(*layers, nn.Linear(64, 1))
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.xavier_uniform_(module.weight)
        for module in (self.fusion, *self.mlp):
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, rows, contrast):
        tokens, mask = data.sequences(rows)
        b, l = mask.shape
        n = mask.sum(1).long()
        at = torch.arange(l) - (l - n[:, None])                                         # the most recent one last
        tokens, mask = tokens[torch.arange(b)[:, None], at.clamp_min(0)], (at >= 0).float()
        own = data.of_scenario[rows]
        scenarios = self.domain.weight.expand(b, K, D) if contrast else self.domain(own)[:, None]
        look = lambda table, column: (table(tokens[..., column]) * mask[..., None], table(data.item[rows, column]))
        v, target = look(self.items, 0)
        targets, p = [target], self.item(v, mask, target, scenarios)
        parts = []
        for table, preference, (column, _) in zip(self.tables, self.attributes, ATTRIBUTES.values()):
            v, target = look(table, column)
            targets.append(target)
            parts.append(preference(v, mask, target, scenarios))
        flat = [F.pad(a, (0, 0, LEN - l, 0)).flatten(2) for a in (p, *parts)]
        alpha = self.fusion(torch.cat(flat[1:], 2)).softmax(2)
        items, attributes = flat[0], sum(alpha[..., j:j + 1] * a for j, a in enumerate(flat[1:]))
        at = own if contrast else torch.zeros_like(own)
        item, attribute = (a[torch.arange(b), at] for a in (items, attributes))
        z = torch.cat((item, attribute, *targets, self.indicator(own), self.domain(own)), 1)
        logits, loss = self.mlp(z).squeeze(1), 0
        if contrast:
            there = (n > 0).float()
            positive = F.cosine_similarity(item, attribute, 1) / TAU
            for views in (items, attributes):
                all = F.cosine_similarity(item[:, None], views, 2) / TAU
                loss = loss + ((all.logsumexp(1) - positive) * there).mean()
        return logits, loss


# ---------------------------------------------------------------- training

def loss(rows):
    logits, contrast = net(rows, args.gamma > 0)
    return F.binary_cross_entropy_with_logits(logits, data.label[rows]) + args.gamma * contrast


net = Sacn()
optimizer = torch.optim.Adagrad(net.parameters(), lr=1e-2, weight_decay=1e-6, initial_accumulator_value=0.1, eps=0, foreach=True)
run(args, data, loss, lambda rows: net(rows, False)[0], optimizer, B, VALID, TEST)
