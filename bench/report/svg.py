"""Bar charts as plain SVG, readable on a light and on a dark page."""

from xml.sax.saxutils import escape

from words import number

STYLE = """
  .bg { fill: #ffffff } .text { fill: #1f2328 } .soft { fill: #59636e } .ours { fill: #0969da } .peer { fill: #afb8c1 }
  .range { stroke: #1f2328 } .axis { stroke: #d1d9e0 }
  @media (prefers-color-scheme: dark) {
    .bg { fill: #0d1117 } .text { fill: #e6edf3 } .soft { fill: #9198a1 } .ours { fill: #4493f8 } .peer { fill: #545d68 }
    .range { stroke: #e6edf3 } .axis { stroke: #3d444d }
  }
  text { font: 13px system-ui, sans-serif } .head { font-weight: 600; font-size: 14px }
"""
WIDTH, LEFT, RIGHT, ROW, TOP = 860, 290, 120, 22, 52


def bars(title, subtitle, rows):
    """`rows`: (label, middle, least, most, ours), best first. Returns the text of an SVG file."""
    height = TOP + ROW * len(rows) + 14
    # One contestant far off must not press the others flat: beyond the scale a bar is cut, its figure still stands beside it.
    middles = sorted(r[1] for r in rows)
    top = max(middles)
    if len(middles) > 4 and top > 6 * middles[len(middles) // 2] > 0:
        top = 6 * middles[len(middles) // 2]
    top = top or 1
    room = WIDTH - LEFT - RIGHT
    x = lambda v: LEFT + room * min(v / top, 1.0)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="bg" width="{WIDTH}" height="{height}" rx="6"/>',
        f'<text class="text head" x="14" y="22">{escape(title)}</text>',
        f'<text class="soft" x="14" y="41">{escape(subtitle)}</text>',
        f'<line class="axis" x1="{LEFT}" y1="{TOP - 4}" x2="{LEFT}" y2="{height - 10}"/>',
    ]
    for i, (label, middle, least, most, ours) in enumerate(rows):
        y = TOP + ROW * i
        cut = " »" if middle > top else ""
        weight = ' font-weight="600"' if ours else ""
        out.append(f'<text class="text" x="{LEFT - 8}" y="{y + 14}" text-anchor="end"{weight}>{escape(label)}</text>')
        out.append(f'<rect class="{"ours" if ours else "peer"}" x="{LEFT}" y="{y + 2}" width="{max(x(middle) - LEFT, 1):.1f}" height="{ROW - 7}" rx="2"/>')
        if most > least and least < top:
            out.append(f'<line class="range" x1="{x(least):.1f}" y1="{y + 9.5}" x2="{x(most):.1f}" y2="{y + 9.5}"/>')
        out.append(f'<text class="text" x="{max(x(middle), x(most)) + 6:.1f}" y="{y + 14}"{weight}>{number(middle)}{cut}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"
