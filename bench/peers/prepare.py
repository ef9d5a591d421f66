#!/usr/bin/env python3
"""What other libraries take for a dataset's raw files, beside `scenarec data prepare`.

    python3 bench/peers/prepare.py prepares taobao-ad FOLDER     # pandas: reads, joins, numbers ids, scales, splits, writes Parquet
    python3 bench/peers/prepare.py pandas|polars taobao-ad FOLDER     # only reads

pandas prepares the sets that JOINS names; it looks for no bad input and no leaks.
"""
import sys
import tempfile
import time
from pathlib import Path

from figure import figure

# What a library reads of a dataset's raw files: separator, and whether the first line names columns. Ali-CCP's feature lists are
# text to them: they would still have to be taken apart.
PLAIN = {
    "taobao-ad": dict(sep=",", header=True),
    "cikm-2019": dict(sep=",", header=False),
    "ali-ccp": dict(sep=",", header=False),
    "kuairand": dict(sep=",", header=True),
    "movielens": dict(sep="::", header=False),
    "douban": dict(sep="\t", header=False),
    "amazon": dict(sep=None, header=False),
    "industrial": dict(sep=",", header=True),
}


# How pandas prepares a set with item cold start: the rows' file, what is joined to it on which columns, the label, the item, and the
# thresholds N and K of the split.
JOINS = {
    "taobao-ad": dict(
        main="raw_sample.csv",
        names=None,
        joins=[("ad_feature.csv", None, "adgroup_id", "adgroup_id"), ("user_profile.csv", None, "user", "userid")],
        item="adgroup_id",
        label=("clk", 1),
        unused=["nonclk"],
        reals=["time_stamp", "price"],
        n=2000,
        k=500,
    ),
    "cikm-2019": dict(
        main="user_behavior.csv",
        names=["user", "item", "behaviour", "time_stamp"],
        joins=[
            ("user.csv", ["user", "gender", "age", "purchasing_power"], "user", "user"),
            ("item.csv", ["item", "cate_id", "shop_id", "brand_id"], "item", "item"),
        ],
        item="item",
        label=("behaviour", "buy"),
        unused=[],
        reals=["time_stamp"],
        n=200,
        k=50,
    ),
}


def prepared_with_pandas(folder, out, main, names, joins, item, label, unused, reals, n, k):
    import pandas

    read = lambda file, names: pandas.read_csv(f"{folder}/{file}", names=names, header=0 if names is None else None)
    rows = read(main, names)
    column, positive = label
    rows["label"] = (rows.pop(column) == positive).astype("uint8")
    rows = rows.drop(columns=unused)
    for file, names, own, other in joins:
        rows = rows.merge(read(file, names), how="left", left_on=own, right_on=other)
        if own != other:
            rows = rows.drop(columns=other)
    rows["count"] = rows.groupby(item)[item].transform("size")
    times = rows["time_stamp"].to_numpy(copy=True)
    for real in [*reals, "count"]:
        values = rows[real].fillna(0).astype("float64")
        rows[real] = ((values - values.min()) / (values.max() - values.min())).astype("float32")
    for name in rows.columns.difference([*reals, "count", "label"]):
        rows[name] = pandas.factorize(rows[name], use_na_sentinel=False)[0].astype("uint32")
    rows = rows.iloc[times.argsort(kind="stable")]
    size = rows.groupby(item)[item].transform("size")
    place = rows.groupby(item).cumcount()
    rows["part"] = (1 + (place // k).clip(upper=3)).where(size <= n, 0).where(size >= 3 * k, 255).astype("uint8")
    rows.to_parquet(out, compression="zstd")


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


what, name, folder = sys.argv[1:4]
files = [str(file) for file in sorted(Path(folder).rglob("*")) if file.suffix in (".csv", ".dat", ".json", ".gz", ".tsv")]
files = [file for file in files if not file.endswith("simulation.json")]
start = time.perf_counter()
if what == "prepares":
    with tempfile.TemporaryDirectory() as out:
        prepared_with_pandas(folder, f"{out}/rows.parquet", **JOINS[name])
else:
    {"pandas": with_pandas, "polars": with_polars}[what](files, **PLAIN[name])
figure(seconds=time.perf_counter() - start)
