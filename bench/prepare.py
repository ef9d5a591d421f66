#!/usr/bin/env python3
"""Time and peak memory of `scenarec data prepare`, beside pandas and polars that only read the same raw files.

Simulates the raw files where they are absent (which is not timed), prepares them with an empty cache, and lets each library parse the
same columns into a data frame. Every program runs alone in a process of its own, by turns; the best of --repeat counts.

    python3 bench/prepare.py --work /tmp/bench taobao-ad-cold:26557961 cikm-2019-cold:62428486 ali-ccp:10000000

The number behind a dataset's name is the number of simulated rows; the official raw folder is taken where it is given with --raw.
Needs pandas and polars; nothing of what they read is kept.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/debug/scenarec"

# What a library reads of a dataset's raw files: separator, and whether the first line names columns. Ali-CCP's feature lists are
# text to them: they would still have to be taken apart.
PLAIN = {
    "taobao-ad": dict(sep=",", header=True),
    "cikm2019-ecomm": dict(sep=",", header=False),
    "ali-ccp": dict(sep=",", header=False),
    "kuairand-pure": dict(sep=",", header=True),
    "kuairand-1k": dict(sep=",", header=True),
    "kuairand-27k": dict(sep=",", header=True),
    "movielens-1m": dict(sep="::", header=False),
    "douban": dict(sep="\t", header=False),
    "amazon-5core": dict(sep=None, header=False),
}


def with_pandas(files, sep, header):
    import pandas

    for file in files:
        if sep is None:
            pandas.read_json(file, lines=True)
        else:
            engine = "python" if len(sep) > 1 else "c"
            pandas.read_csv(file, sep=sep, header=0 if header else None, encoding="latin-1", engine=engine)


def with_polars(files, sep, header):
    import polars

    for file in files:
        if sep is None:
            polars.read_ndjson(file)
        elif len(sep) == 1:
            polars.read_csv(file, separator=sep, has_header=header, encoding="utf8-lossy", infer_schema_length=10_000, quote_char='"')
        else:
            raise SystemExit("polars reads no separator of two bytes")


def measured(command):
    """Wall seconds and peak resident memory in GiB of a process."""
    with tempfile.TemporaryFile("w+") as errors:
        before = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - before
        if status != 0:
            errors.seek(0)
            return None, (errors.read().strip().splitlines() or [f"status {status}"])[-1]
    return seconds, usage.ru_maxrss / 2**20


def best(command, repeat, before=lambda: None):
    runs = []
    for _ in range(repeat):
        before()
        runs.append(measured(command))
        if runs[-1][0] is None:
            return runs[-1]
    return min(runs)


def raw_folder(args, dataset, rows):
    """The raw files: the given folder's, or simulated ones."""
    name = next(line.split()[1] for line in (ROOT / f"configs/datasets/{dataset}.yaml").open() if line.startswith("raw:"))
    if rows is None:
        return name, args.raw / name
    folder = args.work / "raw" / name
    if not folder.exists():
        simulated = args.work / "simulate"
        command = [PROGRAM, "--root", project(simulated), "data", "simulate", dataset, "--rows", str(rows)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        made = max((simulated / "data/cache/simulated").glob(f"{dataset}-*"), key=os.path.getmtime)
        folder.parent.mkdir(parents=True, exist_ok=True)
        made.rename(folder)
        (folder / "click_probability.f32").unlink(missing_ok=True)
        (folder / "simulation.json").unlink(missing_ok=True)
        shutil.rmtree(simulated)
    return name, folder


def project(folder):
    """A project folder of its own, so that its cache is."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "configs").exists():
        (folder / "configs").symlink_to(ROOT / "configs")
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", metavar="DATASET[:ROWS]")
    parser.add_argument("--work", type=Path, required=True, help="folder for simulated files and caches")
    parser.add_argument("--raw", type=Path, default=ROOT / "data/raw")
    parser.add_argument("--repeat", type=int, default=1)
    args = parser.parse_args()
    print("| dataset | raw MB | scenarec s | MB/s | GiB | pandas s | GiB | polars s | GiB | ratio to pandas |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for text in args.datasets:
        dataset, _, rows = text.partition(":")
        name, folder = raw_folder(args, dataset, int(rows) if rows else None)
        files = [str(file) for file in sorted(folder.rglob("*")) if file.suffix in (".csv", ".dat", ".json", ".gz")]
        mb = sum(os.path.getsize(file) for file in files) / 1e6
        work = project(args.work / "prepare")
        cache = work / "data/cache"
        prepare = [PROGRAM, "--root", work, "data", "prepare", dataset, "--raw", folder.parent]
        ours = best(prepare, args.repeat, lambda: shutil.rmtree(cache, ignore_errors=True))
        peer = lambda library: best([sys.executable, __file__, "--peer", library, json.dumps([files, PLAIN[name]])], args.repeat)
        shown = [f"| {dataset} | {mb:.0f} "]
        if ours[0] is None:
            sys.exit(f"{dataset}: {ours[1]}")
        shown.append(f"| {ours[0]:.1f} | {mb / ours[0]:.0f} | {ours[1]:.2f} ")
        ratio = "-"
        for library in ("pandas", "polars"):
            seconds, memory = peer(library)
            if seconds is None:
                print(f"{library} on {dataset}: {memory}", file=sys.stderr)
                shown.append("| - | - ")
                continue
            shown.append(f"| {seconds:.1f} | {memory:.2f} ")
            if library == "pandas":
                ratio = f"{seconds / ours[0]:.1f}"
        print("".join(shown) + f"| {ratio} |", flush=True)


if __name__ == "__main__" and sys.argv[1:2] == ["--peer"]:
    files, how = json.loads(sys.argv[3])
    {"pandas": with_pandas, "polars": with_polars}[sys.argv[2]](files, **how)
elif __name__ == "__main__":
    main()
