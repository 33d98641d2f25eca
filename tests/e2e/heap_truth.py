#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares heap profiles with what the target printed about itself (tests/targets/heap_truth.h).

    heap_truth.py TRUTH PROFILE...      the four values of every site must be equal
      --sd N        instead: within N standard deviations, as the target's "sd" lines give them for
                    one run; of several profiles the mean is taken, which has a smaller one
      --percent P   the mean of all sites' bytes together must be within P percent, too
      --values V    which of the four to compare: alloc, inuse or both (default)
      --sites A,B   only these
      --inner       a stack belongs to the innermost site that it is in

A profile's value for a site is the sum over the stacks that the site's function is in. Exit status 1
and a table when something differs.
"""
import argparse
import collections
import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pprof_decode  # noqa: E402

TYPES = ["alloc_objects/count", "alloc_space/bytes", "inuse_objects/count", "inuse_space/bytes"]


def read_truth(path):
    truth, deviation = {}, {}
    for line in open(path):
        words = line.split()
        if words and words[0] in ("truth", "sd"):
            (truth if words[0] == "truth" else deviation)[words[1]] = [int(w) for w in words[2:]]
    return truth, deviation


def sums(path, sites, inner):
    """Four values for each site, and those of every stack that is in no site."""
    view = pprof_decode.View(pprof_decode.read(path), None, True)
    have = [view.value_type(vt) for vt in view.p["sample_type"]]
    if have != TYPES:
        sys.exit("%s: sample types %s" % (path, have))
    out = collections.defaultdict(lambda: [0, 0, 0, 0])
    for sample in view.p["sample"]:
        names = [name.split("(")[0] for name in view.frames(sample)]
        found = [name for name in names if name in sites]
        for site in set(found[:1] if inner else found) or {None}:
            out[site] = [a + b for a, b in zip(out[site], sample["value"])]
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("truth")
    parser.add_argument("profiles", nargs="+")
    parser.add_argument("--sd", type=float)
    parser.add_argument("--percent", type=float)
    parser.add_argument("--values", choices=["alloc", "inuse", "both"], default="both")
    parser.add_argument("--sites")
    parser.add_argument("--inner", action="store_true")
    args = parser.parse_args()

    truth, deviation = read_truth(args.truth)
    known = set(truth)
    if args.sites:
        truth = {site: truth[site] for site in args.sites.split(",")}
    if not truth:
        sys.exit("no truth in " + args.truth)
    if args.sd is not None and set(truth) - set(deviation):
        sys.exit("no deviations in " + args.truth)
    columns = {"alloc": [0, 1], "inuse": [2, 3], "both": [0, 1, 2, 3]}[args.values]
    n = len(args.profiles)
    runs = [sums(path, known, args.inner) for path in args.profiles]
    bad = 0
    total_have = total_want = 0.0
    for site, want in truth.items():
        for i in columns:
            have = sum(run[site][i] for run in runs) / n
            allowed = args.sd * deviation[site][i] / math.sqrt(n) if args.sd is not None else 0
            wrong = abs(have - want[i]) > allowed
            bad += wrong
            if i == columns[-1]:
                total_have += have
                total_want += want[i]
            print("%-16s %-14s have %.0f want %d allowed %.0f%s" % (
                site, TYPES[i].split("/")[0], have, want[i], allowed, "  <== WRONG" if wrong else ""))
    if total_want:
        off = 100 * (total_have / total_want - 1)
        wrong = args.percent is not None and abs(off) > args.percent
        bad += wrong
        print("all sites: %+.2f %%%s" % (off, "  <== WRONG" if wrong else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
