#!/usr/bin/env python3
"""Compares exported ONNX files, run by onnxruntime, with this program's own labels and scores.

    pipeline export RUN --model ID --out DIR --predictions DIR.npy
    python check_onnx.py --data /path/to/fashion-mnist DIR…

`DIR.npy` beside each directory holds what the program says of the test images; images are read from the
IDX files. Printed are the labels that differ, the largest difference of a score, and the images with one
beyond `--tol`. Needs numpy, onnx and onnxruntime (tested with 1.31.1). Ends with 1 if a label differs, or a
score by more than `--tol`.
"""

import argparse
import gzip
import json
import pathlib
import sys
import time

import numpy
import onnx
import onnxruntime


def test_images(data):
    for name, opened in (("t10k-images-idx3-ubyte.gz", gzip.open), ("t10k-images-idx3-ubyte", open)):
        path = pathlib.Path(data, name)
        if path.exists():
            with opened(path, "rb") as file:
                raw = file.read()
            n, height, width = numpy.frombuffer(raw, ">u4", 3, 4)
            return numpy.frombuffer(raw, "u1", offset=16).reshape(n, height, width, 1)
    sys.exit(f"no test images in {data}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", help="directory of the IDX files")
    parser.add_argument("--images", help="`.npy` of test images, uint8 [n, n_pixels], instead of --data")
    parser.add_argument("--tol", type=float, default=1e-4)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("dirs", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    images = None if args.images else test_images(args.data)
    failed = False
    print(f"{'model':28} {'operators':>9} {'MiB':>7} {'images':>6} {'labels':>7} {'max |score|':>11} {'beyond':>6} {'s':>6}")
    for directory in args.dirs:
        path = directory / "model.onnx"
        manifest = json.loads((directory / "manifest.json").read_text())
        onnx.checker.check_model(str(path), full_check=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        if args.images:
            shape = manifest["input"]["shape"]
            images = numpy.load(args.images).reshape(-1, shape["height"], shape["width"], shape["channels"])
        expected = numpy.load(f"{str(directory).rstrip('/')}.npy")
        start = time.perf_counter()
        parts = [
            session.run(["label", "scores"], {"images": images[i : i + args.batch]})
            for i in range(0, len(images), args.batch)
        ]
        seconds = time.perf_counter() - start
        labels = numpy.concatenate([part[0] for part in parts])
        scores = numpy.concatenate([part[1] for part in parts])
        assert labels.dtype == numpy.int64 and scores.dtype == numpy.float32
        assert len(labels) == len(expected), f"{len(labels)} images, {len(expected)} predictions"
        n_other = int((labels != expected["label"]).sum())
        with numpy.errstate(invalid="ignore"):
            differences = numpy.abs(scores.astype("f8") - expected["scores"])
        differences[scores == expected["scores"]] = 0.0  # both minus infinity
        largest = float(differences.max())
        n_beyond = int((~(differences.max(axis=1) <= args.tol)).sum())
        failed |= n_other > 0 or not largest <= args.tol
        print(
            f"{manifest['model']['id']:28} {sum(manifest['onnx']['operators'].values()):9}"
            f" {path.stat().st_size / 2**20:7.1f} {len(labels):6} {n_other:7} {largest:11.2e} {n_beyond:6} {seconds:6.1f}",
            flush=True,
        )
    print("a label or score differs" if failed else f"all labels equal, all scores within {args.tol}")
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
