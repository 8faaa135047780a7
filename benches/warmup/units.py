"""As units.c, for an interpreter that itself is the program: `units.py SECONDS`."""

import json
import re
import sys
import time


def unit(seed):
    words = {}
    for i in range(300):
        word = f"w{(i * seed) % 97}"
        words[word] = words.get(word, 0) + i
    rows = sorted(words.items(), key=lambda row: (-row[1], row[0]))
    text = json.dumps([{"word": word, "count": count, "half": count / 2} for word, count in rows])
    found = sum(int(match) for match in re.findall(r'"count": (\d+)', text))
    grid = [[(x * y + seed) & 7 for x in range(24)] for y in range(24)]
    return found + sum(map(max, grid)) + len(json.loads(text))


def main():
    end = time.time() + float(sys.argv[1])
    times, total = [time.time()], 0
    while times[-1] < end:
        total += unit(len(times))
        times.append(time.time())
    print("\n".join(str(int(moment * 1e6)) for moment in times))
    print(total, file=sys.stderr)


main()
