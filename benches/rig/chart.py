"""The figures that are kept (results.json), and the picture that is drawn from them (results.svg), without a library."""

import json
import math
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 780, 190, 90
ROW, BAR, HEAD, GAP = 24, 15, 52, 24
STYLE = """
  .page { fill: #ffffff } text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px } .note, .tick { fill: #57606a; font-size: 12px } .tick { text-anchor: middle }
  .us { fill: #0c66e4 } .other { fill: #8c959f } .line { stroke: #d0d7de } .span { stroke-width: 3 }
  .span.us { stroke: #0c66e4 } .span.other { stroke: #8c959f } .name { text-anchor: end }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #e6edf3 } .note, .tick { fill: #9198a1 } .line { stroke: #3d444d }
    .us { fill: #579dff } .other { fill: #6e7681 } .span.us { stroke: #579dff } .span.other { stroke: #6e7681 }
  }
"""


def keep(folder, part, figures):
    """Replaces the figures of one part, and draws all that there are."""
    path = folder / "results.json"
    all_figures = json.loads(path.read_text()) if path.exists() else {}
    if figures:
        all_figures[part] = figures
    path.write_text(json.dumps(all_figures, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    (folder / "results.svg").write_text(_draw(all_figures))


def _draw(figures):
    panels = []
    if rows := figures.get("peers") or figures.get("proxy"):
        panels.append((_bars, "CPU per request, µs", "HTTP/1.1, 1 KiB, one core, saturated; shorter is better", _cpu(rows)))
    if rows := figures.get("verify"):
        panels.append((_bars, "CPU per forward-auth answer, µs", "one core, saturated; shorter is better", _cpu(rows)))
    for title, rows in figures.get("transport", {}).items():
        panels.append((_bars, f"CPU per request, µs: {title}", "one core, saturated", _cpu(rows)))
    if rows := figures.get("latency", {}).get("same"):
        note = "the same steady rate for all, half of what Anteroom can take; open loop, logarithmic"
        panels.append((_spans, "Latency, µs: p50, p99, p99.9", note, rows))
    if rows := figures.get("memory"):
        values = {name: row["each_kib"] for name, row in rows.items()}
        panels.append((_bars, "Memory per open WebSocket, KiB", "shorter is better", values))
    parts, y = [], GAP
    for draw, title, note, rows in panels:
        parts += [_text(16, y + 14, title, "title"), _text(16, y + 33, note, "note"), *draw(y + HEAD, rows)]
        y += HEAD + ROW * len(rows) + (ROW if draw is _spans else 0) + GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}">'
    return "\n".join([head, f"<style>{STYLE}</style>", f'<rect class="page" width="{WIDTH}" height="{y}"/>', *parts, "</svg>", ""])


def _cpu(rows):
    return {name: row["cpu_us"] for name, row in rows.items()}


def _who(name):
    return "us" if name.startswith("Anteroom") else "other"


def _bars(y, rows):
    scale = (WIDTH - LEFT - RIGHT) / (max(rows.values()) or 1)
    for number, (name, value) in enumerate(rows.items()):
        top, length = y + ROW * number, max(value, 0) * scale
        yield _text(LEFT - 10, top + 13, name, "name")
        yield f'<rect class="{_who(name)}" x="{LEFT}" y="{top + 1}" width="{length:.1f}" height="{BAR}" rx="2"/>'
        yield _text(LEFT + length + 8, top + 13, f"{value:,.1f}", "note")


def _spans(y, rows):
    """A line from the median to p99.9 with a dot at each of the three, and an axis of powers of ten with their halves."""
    keys = ("p50_us", "p99_us", "p999_us")
    seen = [row[key] for row in rows.values() for key in keys]
    low, high = math.log10(min(seen) * 0.85), math.log10(max(seen) * 1.15)
    x = lambda value: LEFT + (math.log10(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)
    ticks = [digit * 10**power for power in range(0, 8) for digit in (1, 2, 5) if low <= math.log10(digit * 10**power) <= high]
    bottom = y + ROW * len(rows)
    for tick in ticks:
        yield f'<line class="line" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{y - 4}" y2="{bottom}"/>'
        yield _text(x(tick), bottom + 15, f"{tick:,}", "tick")
    for number, (name, row) in enumerate(rows.items()):
        middle, points = y + ROW * number + 9, [x(row[key]) for key in keys]
        yield _text(LEFT - 10, middle + 4, name, "name")
        yield f'<line class="span {_who(name)}" x1="{points[0]:.1f}" x2="{points[2]:.1f}" y1="{middle}" y2="{middle}"/>'
        for point in points:
            yield f'<circle class="{_who(name)}" cx="{point:.1f}" cy="{middle}" r="5"/>'


def _text(x, y, text, kind):
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
