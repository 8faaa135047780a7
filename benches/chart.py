"""Draws lines over a logarithmic axis of time, as SVG that is text and nothing else."""

import math
from html import escape

COLORS = ["#8a8f98", "#d1495b", "#6a4c93", "#2a7f9e", "#c98a1b", "#3c8d53"]
WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 34, 46


def steps(most):
    """Round numbers from 0 to a little more than `most`, about five of them."""
    rough = most / 5 or 1
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * k for k in (1, 2, 2.5, 5, 10) if power * k >= rough)
    return [step * i for i in range(math.ceil(most / step) + 1)]


def short(number):
    return f"{number / 1000:g}k" if number >= 1000 else f"{number:g}"


def panel(title, curves, across, up, top):
    """One diagram: `curves` maps names to `{x: y}`; `top` is where it begins in the picture."""
    points = [(x, y) for curve in curves.values() for x, y in curve.items()]
    first = math.floor(math.log10(min(x for x, _ in points)))
    last = math.log10(max(x for x, _ in points))
    marks = steps(max(y for _, y in points))
    plot_w, plot_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(x, y):
        across = LEFT + plot_w * (math.log10(x) - first) / (last - first)
        return round(across, 1), round(top + TOP + plot_h * (1 - y / marks[-1]), 1)

    out = [f'<text x="{LEFT}" y="{top + 20}" class="title">{escape(title)}</text>']
    for mark in marks:
        _, y = place(10**first, mark)
        out.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" class="grid"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{short(mark)}</text>')
    for power in range(first, math.floor(last) + 1):
        x, y = place(10**power, 0)
        out.append(f'<path d="M{x} {top + TOP}V{y}" class="grid"/>')
        out.append(f'<text x="{x}" y="{y + 16}" text-anchor="middle">{10**power:g}</text>')
    foot = top + HEIGHT - 10
    out.append(f'<text x="{LEFT + plot_w / 2}" y="{foot}" text-anchor="middle">{escape(across)}</text>')
    middle = top + TOP + plot_h / 2
    out.append(
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">{escape(up)}</text>'
    )
    for number, (name, curve) in enumerate(curves.items()):
        color = COLORS[number % len(COLORS)]
        path = " ".join(f"{x},{y}" for x, y in (place(*point) for point in sorted(curve.items())))
        out.append(f'<polyline points="{path}" stroke="{color}"/>')
        y = top + TOP + 14 + 16 * number
        out.append(f'<path d="M{LEFT + 10} {y - 4}h18" stroke="{color}" class="key"/>')
        out.append(f'<text x="{LEFT + 34}" y="{y}">{escape(name)}</text>')
    return out


def lines(panels, across, up):
    """The picture of some panels, one below the other."""
    height = HEIGHT * len(panels)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        "<style>.grid{stroke:#ddd}.title{font-size:14px;font-weight:bold}"
        "polyline,.key{fill:none;stroke-width:2}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for number, (title, curves) in enumerate(panels):
        out += panel(title, curves, across, up, number * HEIGHT)
    return "\n".join([*out, "</svg>"]) + "\n"
