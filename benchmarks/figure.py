"""A chart of lines on two logarithmic axes, as SVG: what docs/replication.md needs, and no more."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from math import log10
from typing import NamedTuple

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 78, 190, 44, 56
"""Margins: the names of the lines stand right of them."""
NAME_HEIGHT = 15
"""Between two names at least."""


class Line(NamedTuple):
    """One line: what it is called, its colour, its points, and whether it is dashed."""

    name: str
    colour: str
    points: list[tuple[float, float]]
    dashed: bool = False


class Axis(NamedTuple):
    """What is measured along an axis, from where to where, and which ticks it has."""

    name: str
    low: float
    high: float
    ticks: list[tuple[float, str]]

    def share(self, value: float) -> float:
        return log10(value / self.low) / log10(self.high / self.low)


def chart(title: str, across: Axis, up: Axis, lines: list[Line]) -> str:
    """The whole file."""

    def x(value: float) -> float:
        return LEFT + across.share(value) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 24, title, size=15),
    ]
    for value, name in up.ticks:
        parts.append(_rule(LEFT, y(value), WIDTH - RIGHT, y(value)))
        parts.append(_text(LEFT - 8, y(value) + 4, name, anchor="end"))
    for value, name in across.ticks:
        parts.append(_rule(x(value), HEIGHT - BOTTOM, x(value), HEIGHT - BOTTOM + 5))
        parts.append(_text(x(value), HEIGHT - BOTTOM + 20, name, anchor="middle"))
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    parts.append(_text(middle, HEIGHT - 12, across.name, anchor="middle"))
    turned = f"translate(16 {HEIGHT / 2}) rotate(-90)"
    parts.append(f'<g transform="{turned}">{_text(0, 0, up.name, anchor="middle")}</g>')
    for line in lines:
        points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line.points)
        dashes = ' stroke-dasharray="6 4"' if line.dashed else ""
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{line.colour}" stroke-width="2"'
            f' stroke-linejoin="round"{dashes}/>'
        )
    ends = [(y(line.points[-1][1]), x(line.points[-1][0]), line) for line in lines]
    for height, (_, at, line) in _apart(ends):
        parts.append(_text(at + 8, height + 4, line.name, colour=line.colour))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _apart(
    ends: Iterable[tuple[float, float, Line]],
) -> list[tuple[float, tuple[float, float, Line]]]:
    """Where the names stand: at the ends of their lines, but none upon another."""
    placed: list[tuple[float, tuple[float, float, Line]]] = []
    for end in sorted(ends, key=lambda each: each[0]):
        height = end[0]
        if placed:
            height = max(height, placed[-1][0] + NAME_HEIGHT)
        placed.append((height, end))
    return placed


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#ccc"/>'


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#333", size: int = 12
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"'
        f' font-size="{size}">{escape(text)}</text>'
    )
