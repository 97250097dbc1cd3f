"""Records commands in a pseudo-terminal and draws the recording as an animated SVG, light and dark."""

import codecs
import fcntl
import html
import os
import pty
import struct
import subprocess
import termios
import time
import unicodedata
from dataclasses import dataclass, field

import pyte

COLUMNS, ROWS = 80, 24
# Width and height of a cell and the size of its letter, in px.
CELL, LINE, LETTER = 8.4, 18.0, 14
MARGIN, BAR = 18, 34

LIGHT = {
    "page": "#ffffff", "edge": "#d0d7de", "bar": "#f6f8fa", "default": "#1f2328", "dim": "#59636e", "prompt": "#0969da",
    "red": "#cf222e", "green": "#1a7f37", "brown": "#9a6700", "yellow": "#9a6700", "blue": "#0969da", "magenta": "#8250df",
    "cyan": "#1b7c83", "white": "#59636e", "black": "#1f2328",
}
DARK = {
    "page": "#0d1117", "edge": "#30363d", "bar": "#161b22", "default": "#e6edf3", "dim": "#9198a1", "prompt": "#58a6ff",
    "red": "#ff7b72", "green": "#3fb950", "brown": "#d29922", "yellow": "#d29922", "blue": "#58a6ff", "magenta": "#bc8cff",
    "cyan": "#39c5cf", "white": "#b1bac4", "black": "#6e7681",
}


@dataclass
class Recording:
    """Screens with the second at which each begins."""

    frames: list = field(default_factory=list)
    screen: pyte.Screen = field(default_factory=lambda: pyte.Screen(COLUMNS, ROWS))
    clock: float = 0.0

    def __post_init__(self):
        self.stream = pyte.Stream(self.screen)

    def snapshot(self):
        """Keeps the screen as it is now, if it has changed."""
        lines = [runs(self.screen.buffer[row]) for row in range(ROWS)]
        if not self.frames or self.frames[-1][1] != lines:
            self.frames.append((self.clock, lines))

    def type(self, command):
        """Types `command` behind a prompt."""
        self.stream.feed("\x1b[34;1m$\x1b[0m ")
        for start in range(0, len(command), 4):
            self.stream.feed(command[start : start + 4])
            self.snapshot()
            self.clock += 0.08
        self.stream.feed("\r\n")
        self.clock += 0.4

    def run(self, arguments, folder, seconds, every=0.25):
        """Runs a program in a terminal of this size and shows it in at most `seconds`. Fails if it fails."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
        environment.pop("NO_COLOR", None)
        start = time.monotonic()
        process = subprocess.Popen(
            arguments, stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=environment, start_new_session=True
        )
        os.close(slave)
        pieces, decoder = [], codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:
                # The other end is closed: the program has ended.
                break
            pieces.append((time.monotonic() - start, decoder.decode(data)))
        assert process.wait() == 0, " ".join(map(str, arguments))
        begin, last = self.clock, -every
        pace = min(1.0, seconds / (time.monotonic() - start))
        for when, text in pieces:
            if begin + when * pace - last >= every:
                self.snapshot()
                last = begin + when * pace
            self.stream.feed(text)
            self.clock = begin + when * pace
        self.snapshot()

    def pause(self, seconds):
        self.clock += seconds


def runs(line):
    """The cells of a line as (column, text, color, bold) for each stretch of one look."""
    found = []
    for column in range(COLUMNS):
        cell = line[column]
        look = (cell.fg, cell.bold)
        if found and found[-1][2:] == look and found[-1][0] + len(found[-1][1]) == column:
            found[-1] = (found[-1][0], found[-1][1] + cell.data, *look)
        else:
            found.append((column, cell.data, *look))
    trimmed = [(column, text.rstrip(), *look) for column, text, *look in found]
    return tuple(run for run in trimmed if run[1])


def block(character):
    """The width and height of a block element as parts of its cell, from the lower left; None for a letter."""
    code = ord(character)
    if 0x2581 <= code <= 0x2588:
        return 1.0, (code - 0x2580) / 8
    return ((0x2590 - code) / 8, 1.0) if 0x2589 <= code <= 0x258F else None


def rectangle(character, x, top):
    """The path of a block element. Bars that lie stay apart from the line above, as letters do."""
    width, height = block(character)
    is_bar = height == 1.0
    return f"M{x:.1f} {top + LINE - 3 * is_bar:.1f}v{-height * (LINE - 5 * is_bar):.1f}h{width * CELL:.1f}v{height * (LINE - 5 * is_bar):.1f}z"


def draw_line(row, line, colors):
    """The SVG of one line. Block elements are rectangles, so that no font leaves gaps between them."""
    top = BAR + MARGIN + row * LINE
    parts = []
    for column, text, name, bold in line:
        color = colors.get(name.removeprefix("bright"), f"#{name}" if len(name) == 6 else colors["default"])
        weight = ' font-weight="600"' if bold else ""
        start = 0
        while start < len(text):
            is_block = block(text[start]) is not None
            end = start
            while end < len(text) and (block(text[end]) is not None) == is_block:
                end += 1
            piece, x = text[start:end], MARGIN + (column + start) * CELL
            if is_block:
                path = "".join(rectangle(letter, x + index * CELL, top) for index, letter in enumerate(piece))
                parts.append(f'<path shape-rendering="crispEdges" d="{path}" fill="{color}"/>')
            elif piece.strip():
                lead = len(piece) - len(piece.lstrip())
                piece = piece.strip()
                width = len(piece) * CELL
                assert all(unicodedata.east_asian_width(letter) not in "WF" for letter in piece)
                parts.append(
                    f'<text x="{x + lead * CELL:.1f}" y="{top + LINE - 4.5:.1f}" textLength="{width:.1f}" fill="{color}"{weight}>'
                    f"{html.escape(piece)}</text>"
                )
            start = end
    return "".join(parts)


def svg(recording, colors, title, hold=4.0):
    """The recording as an SVG that plays again and again, or, for people who want less motion, its last screen alone."""
    frames = recording.frames
    total = frames[-1][0] + hold
    width, height = COLUMNS * CELL + 2 * MARGIN, BAR + ROWS * LINE + 2 * MARGIN
    spans = {}
    # A line is drawn once for each stretch of time in which it looks the same.
    for row in range(ROWS):
        begin = 0
        for index in range(1, len(frames) + 1):
            if index == len(frames) or frames[index][1][row] != frames[begin][1][row]:
                if frames[begin][1][row]:
                    end = frames[index][0] if index < len(frames) else total
                    spans.setdefault((frames[begin][0], end), []).append(draw_line(row, frames[begin][1][row], colors))
                begin = index
    rules, groups = [], []
    for number, ((begin, end), drawn) in enumerate(sorted(spans.items())):
        is_last = end >= total
        if begin == frames[0][0] and is_last:
            groups.append(f"<g>{''.join(drawn)}</g>")
            continue
        first, last = 100 * begin / total, 100 * end / total
        shown = f"{first:.3f}%{{visibility:visible}}"
        hidden = "" if is_last else f"{last:.3f}%{{visibility:hidden}}"
        rules.append(f"@keyframes k{number}{{0%{{visibility:{'visible' if begin == 0 else 'hidden'}}}{shown}{hidden}}}")
        rules.append(f".k{number}{{animation-name:k{number}}}")
        groups.append(f'<g class="f k{number}{" last" if is_last else ""}">{"".join(drawn)}</g>')
    circles = "".join(
        f'<circle cx="{20 + 18 * index}" cy="{BAR / 2}" r="5.5" fill="{color}"/>'
        for index, color in enumerate(["#ff5f57", "#febc2e", "#28c840"])
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="{LETTER}">
<title>{html.escape(title)}</title>
<style>text{{white-space:pre}}.f{{visibility:hidden;animation:{total:.2f}s step-end infinite}}{"".join(rules)}@media (prefers-reduced-motion:reduce){{.f{{animation:none}}.last{{visibility:visible}}}}</style>
<rect x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="8" fill="{colors["page"]}" stroke="{colors["edge"]}"/>
<path d="M.5 {BAR}V8.5a8 8 0 0 1 8-8H{width - 8.5:.0f}a8 8 0 0 1 8 8V{BAR}z" fill="{colors["bar"]}" stroke="{colors["edge"]}"/>
{circles}
{"".join(groups)}
</svg>
"""
