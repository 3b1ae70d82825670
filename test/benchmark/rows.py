# SPDX-License-Identifier: Apache-2.0
"""What was measured, beside its goal, as a table and as JSON."""
import dataclasses
import statistics
from typing import Optional


@dataclasses.dataclass
class Row:
    """One figure. `value` None: not measurable here, and `note` says why."""
    section: str
    what: str
    value: Optional[float] = None
    unit: str = ""
    goal: Optional[float] = None
    at_least: bool = False  # The goal is a floor rather than a ceiling.
    beside: str = ""  # What it was measured beside, with that figure.
    note: str = ""

    @property
    def met(self):
        if self.goal is None or self.value is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def as_json(self):
        return dict(dataclasses.asdict(self), met=self.met)


def median(values):
    return statistics.median(list(values))


def number(value):
    return "%.0f" % value if value >= 100 else "%.1f" % value if value >= 10 else "%.2f" % value


def goal_text(row):
    if row.goal is None:
        return ""
    return "%s %s%s" % ("≥" if row.at_least else "≤", "%g" % row.goal, " " + row.unit if row.unit else "")


def table(rows):
    lines = ["| what | figure | goal | | beside, and how |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        figure = "not measurable here" if row.value is None else ("%s %s" % (number(row.value), row.unit)).strip()
        met = {None: "", True: "met", False: "**missed**"}[row.met]
        lines.append("| %s | %s | %s | %s | %s |" %
                     (row.what, figure, goal_text(row), met, "; ".join(text for text in (row.beside, row.note) if text)))
    return "\n".join(lines)
