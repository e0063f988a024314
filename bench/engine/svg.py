"""A small writer of line charts as SVG: logarithmic across, linear up, one panel below another.

Promises: plain SVG text, the same for the same values, readable on white without any script.
Never: a series that colour alone tells apart: markers and dashes differ too.
"""

import html
import math

WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM = 760, 300, 78, 150, 44, 44
COLOURS = ["#1b6ca8", "#c2571a", "#3d8b37", "#7a4fa3"]
DASHES = ["", "7 4", "2 3", "9 3 2 3"]
TICKS = 5
FONT = 'font-family="sans-serif" font-size="12"'


def nice(top):
    """The smallest of 1, 2, 2.5, 5 times a power of ten that splits `top` into few steps."""
    raw = max(top, 1e-9) / TICKS
    power = 10 ** math.floor(math.log10(raw))
    return next(times * power for times in (1, 2, 2.5, 5, 10) if times * power >= raw * 0.999)


def text(x, y, words, anchor="start", more=""):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {FONT}{more}>'
        f"{html.escape(str(words))}</text>"
    )


def line(x1, y1, x2, y2, colour, more=""):
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{more}/>'
    )


class Panel:
    """series: {name: [(n, value)]}; level: (value, name) of a line across, or None."""

    def __init__(self, title, unit, series, level=None):
        self.title, self.unit, self.series, self.level = title, unit, series, level
        points = [point for values in series.values() for point in values]
        across = [math.log10(n) for n, _ in points]
        self.low, self.high = min(across), max(max(across), min(across) + 0.1)
        top = max([value for _, value in points] + ([level[0]] if level else []))
        self.step = nice(top)
        self.top = self.step * math.ceil(top / self.step * 1.02)

    def x(self, n):
        part = (math.log10(n) - self.low) / (self.high - self.low)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return PANEL - BOTTOM - value / self.top * (PANEL - TOP - BOTTOM)

    def axes(self):
        yield text(LEFT, 22, self.title, more=' font-weight="bold"')
        for tick in range(round(self.top / self.step) + 1):
            value = tick * self.step
            yield line(LEFT, self.y(value), WIDTH - RIGHT, self.y(value), "#dddddd")
            yield text(LEFT - 6, self.y(value) + 4, f"{value:,.6g}", "end")
        yield text(LEFT - 6, TOP - 12, self.unit, "end")
        for power in range(math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9) + 1):
            at = self.x(10**power)
            yield line(at, PANEL - BOTTOM, at, PANEL - BOTTOM + 5, "#444444")
            yield text(at, PANEL - BOTTOM + 19, f"{10**power:,}", "middle")
        yield text((LEFT + WIDTH - RIGHT) / 2, PANEL - 6, "rows", "middle")

    def curves(self):
        for at, (name, values) in enumerate(self.series.items()):
            colour = COLOURS[at % len(COLOURS)]
            places = [(self.x(n), self.y(value)) for n, value in values]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            dash = f' stroke-dasharray="{DASHES[at % len(DASHES)]}"'
            style = f'stroke="{colour}" stroke-width="2"{dash}'
            yield f'<polyline points="{path}" fill="none" {style}/>'
            for x, y in places:
                yield mark(at, x, y, colour)
            y = TOP + 10 + 20 * at
            key = WIDTH - RIGHT + 14
            yield line(key, y, key + 30, y, colour, f' stroke-width="2"{dash}')
            yield mark(at, key + 15, y, colour)
            yield text(key + 36, y + 4, name)

    def lines(self):
        yield from self.axes()
        if self.level:
            value, name = self.level
            y = self.y(value)
            yield line(LEFT, y, WIDTH - RIGHT, y, "#b00020", ' stroke-width="1.5"')
            yield text(WIDTH - RIGHT, y - 6, name, "end", ' fill="#b00020"')
        yield from self.curves()


def mark(at, x, y, colour):
    """Circle, square, triangle, in turn."""
    if at % 3 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    if at % 3 == 1:
        return f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" fill="{colour}"/>'
    points = f"{x:.1f},{y - 5:.1f} {x - 4.5:.1f},{y + 4:.1f} {x + 4.5:.1f},{y + 4:.1f}"
    return f'<polygon points="{points}" fill="{colour}"/>'


def chart(panels, foot):
    height = PANEL * len(panels) + 30
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">']
    parts.append(f'<rect width="{WIDTH}" height="{height}" fill="white"/>')
    for at, panel in enumerate(panels):
        parts.append(f'<g transform="translate(0 {at * PANEL})">')
        parts += [*panel.lines(), "</g>"]
    parts.append(text(LEFT, height - 10, foot, more=' fill="#555555"'))
    return "\n".join([*parts, "</svg>", ""])
