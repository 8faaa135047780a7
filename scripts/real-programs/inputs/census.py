"""A tour of the interpreter and its library: closures, generators, regular expressions, files, numbers."""

import collections
import decimal
import fractions
import hashlib
import itertools
import json
import math
import os
import re
import sys
import zlib

print(sys.version_info[:2], sys.platform, sys.byteorder)

# Files in the granted directory.
with open("/work/flock.csv", "w") as table:
    for month, name in itertools.product(range(1, 13), ["dunlin", "knot", "curlew"]):
        table.write(f"{month},{name},{(month * 37 + len(name) * 11) % 53}\n")
sums = collections.Counter()
with open("/work/flock.csv") as table:
    for line in table:
        month, name, seen = line.rstrip().split(",")
        sums[name] += int(seen)
print(sums.most_common(), os.stat("/work/flock.csv").st_size, sorted(os.listdir("/work")))
os.rename("/work/flock.csv", "/work/old.csv")
os.remove("/work/old.csv")
try:
    open("/work/old.csv")
except FileNotFoundError as error:
    print(type(error).__name__, error.errno)
try:
    open("/etc/passwd")
    print("the sandbox leaks")
except OSError as error:
    print("not granted:", type(error).__name__)


def primes():
    """Sieves lazily."""
    found = {}
    for n in itertools.count(2):
        factor = found.pop(n, None)
        if factor is None:
            yield n
            found[n * n] = n
        else:
            step = n + factor
            while step in found:
                step += factor
            found[step] = factor


print(list(itertools.islice(primes(), 15)), sum(itertools.islice(primes(), 2000)))
print(math.factorial(60), pow(3, 10**6, 1_000_000_007), fractions.Fraction(355, 113) + fractions.Fraction(1, 7))
decimal.getcontext().prec = 40
print(decimal.Decimal(2).sqrt(), math.fsum([0.1] * 10), 0.1 + 0.2, round(math.pi ** 5, 9))
print(re.findall(r"(\w+)@(\w+)\.org", "ann@shore.org, bob@mud.com, eve@sea.org"))
text = json.dumps({"b": [1, 2.5, None, True], "a": {"é": "\u20ac"}}, sort_keys=True)
print(text, json.loads(text)["b"])
print(hashlib.sha256(b"dunlin" * 1000).hexdigest()[:32], hashlib.blake2b(b"x").hexdigest()[:16])
packed = zlib.compress(b"tide " * 5000, 9)
print(len(packed), zlib.decompress(packed) == b"tide " * 5000, zlib.crc32(b"tide"))


class Deep(Exception):
    """Raised far down, caught far up."""


def dive(depth):
    if depth == 0:
        raise Deep("bottom")
    dive(depth - 1)


try:
    dive(500)
except Deep as error:
    print("caught", error)
try:
    (lambda f: f(f))(lambda f: f(f))
except RecursionError:
    print("recursion has a limit")
print(sorted("a dunlin stitches the mud".split(), key=lambda w: (len(w), w)), sys.argv[1:])
