"""A sale of bench/rush as a picture: requests against rows over time."""

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 900, 420, 70, 50, 20, 45
LINES = (("offered", "#8a8a8a"), ("answered", "#2458a6"), ("sold in Redis", "#d08a1d"), ("rows in MySQL", "#2a7d46"))


def step_of(most, about=8):
    """A round distance between the lines of a scale that ends at `most`."""
    step = 10 ** len(str(int(most))) / 1e6
    while most / step > about:
        step *= 2.5 if f"{step:e}"[0] == "2" else 2
    return step


def points_of(sale):
    """name of a line -> its points (seconds, number)"""
    line = sale["timeline"]
    points = {name: [(i * line["step"], n) for i, n in enumerate(line[name])] for name in ("offered", "answered")}
    samples = [s for s in line["samples"] if s["t"] >= 0]
    points["sold in Redis"] = [(0, 0)] + [(s["t"], s["sold"]) for s in samples]
    points["rows in MySQL"] = [(0, 0)] + [(s["t"], s["rows"]) for s in samples]
    return points


def chart(sale):
    """`sale`: what bench/rush-sale printed. The picture as SVG."""
    points = points_of(sale)
    last = max(x for line in points.values() for x, _ in line) or 1
    most = max(y for line in points.values() for _, y in line) or 1

    def at(x, y):
        return (f"{LEFT + x / last * (WIDTH - LEFT - RIGHT):.1f}",
                f"{HEIGHT - BOTTOM - y / most * (HEIGHT - TOP - BOTTOM):.1f}")

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
           'font-size="13">', '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="{LEFT}" y="20">{sale["users"]:,} users in {sale["seconds"]:g} s over {sale["connections"]:,} '
           f'connections, {sale["capacity"]:,} tickets</text>']
    for i in range(int(most / step_of(most)) + 1):
        y = i * step_of(most)
        x1, y1 = at(0, y)
        out += [f'<line x1="{x1}" y1="{y1}" x2="{WIDTH - RIGHT}" y2="{y1}" stroke="#dddddd"/>',
                f'<text x="{LEFT - 8}" y="{float(y1) + 4:.1f}" text-anchor="end">{y:,.0f}</text>']
    for i in range(int(last / step_of(last)) + 1):
        x1, y1 = at(i * step_of(last), 0)
        out.append(f'<text x="{x1}" y="{float(y1) + 20:.1f}" text-anchor="middle">{i * step_of(last):g} s</text>')
    for i, (name, colour) in enumerate(LINES):
        path = " ".join(",".join(at(*point)) for point in points[name])
        dash = ' stroke-dasharray="6 4"' if name == "offered" else ""
        out += [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>',
                f'<text x="{LEFT + i * 170}" y="40" fill="{colour}">{name}</text>']
    return "\n".join(out + ["</svg>"]) + "\n"
