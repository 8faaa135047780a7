"""A command in Python that works for a while: parsing, numbers, text, exceptions, generators."""

import collections
import decimal
import fractions
import hashlib
import heapq
import itertools
import json
import re
import sys

from wit_world import exports


def queens(size: int) -> int:
    def place(row: int, columns: int, left: int, right: int) -> int:
        if row == size:
            return 1
        found = 0
        for column in range(size):
            bit = 1 << column
            if not (columns & bit or left & 1 << row + column or right & 1 << row - column + size):
                found += place(row + 1, columns | bit, left | 1 << row + column, right | 1 << row - column + size)
        return found

    return place(0, 0, 0, 0)


def primes():
    composites = {}
    for number in itertools.count(2):
        factor = composites.pop(number, None)
        if factor is None:
            composites[number * number] = number
            yield number
        else:
            multiple = number + factor
            while multiple in composites:
                multiple += factor
            composites[multiple] = factor


def shortest(edges: dict, start: str) -> dict:
    best, heap = {}, [(0, start)]
    while heap:
        cost, node = heapq.heappop(heap)
        if node not in best:
            best[node] = cost
            for to, more in edges.get(node, {}).items():
                heapq.heappush(heap, (cost + more, to))
    return best


class Run(exports.Run):
    def run(self) -> None:
        print("queens", [queens(size) for size in range(1, 8)])
        print("primes", sum(itertools.islice(primes(), 5000)))
        text = "the quick brown fox jumps over the lazy dog; the end — Ünïcödé 🦊 " * 50
        words = collections.Counter(re.findall(r"\w+", text.lower()))
        print("words", words.most_common(3), len(words))
        print("digest", hashlib.sha256(text.encode()).hexdigest())
        decimal.getcontext().prec = 60
        print("root", decimal.Decimal(2).sqrt())
        print("sum", sum(fractions.Fraction(1, n) for n in range(1, 30)))
        value = {"numbers": [1, 2.5, -3e100, 2**70], "text": "tab\t\u2028", "none": None}
        print("json", json.loads(json.dumps(value)) == value, json.dumps(value))
        print("paths", shortest({"a": {"b": 7, "c": 3}, "c": {"b": 1, "d": 9}, "b": {"d": 2}}, "a"))
        try:
            [1, 2, 3][3]
        except IndexError as error:
            print("caught", error)
        print("repr", 0.1 + 0.2, 1e23, float("inf"), -0.0, round(2.675, 2))
        print("version", sys.version_info[:2], file=sys.stderr)
