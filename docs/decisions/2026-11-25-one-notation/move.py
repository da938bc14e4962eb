#!/usr/bin/env python3
"""Rewrites the old spellings of the catalog language in files, line by line; comments and layout stay.

    move.py FILE...

A `catalog.yml` loses its clause `business`, which becomes the clause `policies` of the `business.yml` beside it. In scenarios and
other texts, the catalogs that they contain are rewritten. `host-shim check` tells what is left.
"""

import re
import sys
from pathlib import Path

DAYS = {"grace_days": "grace", "over_limit_days": "over_limit", "archive_after_days": "archive_after",
        "retention_days": "delete_after", "name_block_days": "name_block", "final_backup_days": "final_backup"}
MANY = {"dunning_days": "dunning", "notice_days": "notice"}
WORD = r"[A-Za-z_][A-Za-z0-9_]*"
QUOTE = '"'


def place(source, word):
    return f"{QUOTE}{{{source}.{word}}}{QUOTE}"


def amount(source, text):
    if text == "true":
        return "1"
    return place(source, text) if re.fullmatch(WORD, text) and text != "unlimited" else text


def times(line):
    for old, new in DAYS.items():
        line = re.sub(rf"\b{old}: (\d+)", rf"{new}: \1d", line)
    for old, new in MANY.items():
        each = lambda m, new=new: f"{new}: [" + re.sub(r"(\d+)", r"\1d", m[1]) + "]"
        line = re.sub(rf"\b{old}: \[([\d, ]*)\]", each, line)
    line = re.sub(r"\berror_credit_hours: (\d+)", r"error_credit_after: \1h", line)
    line = re.sub(r"\brefund: \{days: (\d+)\}", r"refund: {within: \1d}", line)
    line = re.sub(r"(split: \{.*)hold_days: (\d+)", r"\1hold: \2d", line)
    seconds = lambda n: f"{n // 60}m" if n % 60 == 0 else f"{n}s"
    return re.sub(r"(watch: \{.*)every_s: (\d+)", lambda m: f"{m[1]}every: {seconds(int(m[2]))}", line)


def limits(line):
    line = re.sub(rf"\bonce_per: ({WORD})", lambda m: f"at_most: {{count: 1, per: {place('product', m[1])}}}", line)
    line = re.sub(r"\bquantity: \{max: (\d+)\}", r"quantity: {at_most: \1}", line)
    line = re.sub(r"\bstock: \{by: (\"[^\"]*\"), most: (\{[^}]*\})\}", r"at_most: {count: \2, per: \1}", line)
    line = re.sub(r"(tokens: \[.*)\blive: (\d+)", r"\1at_most: \2", line)
    line = re.sub(r"\bredeem: \{effect:", "redeem: {run:", line)
    return re.sub(r"\brequires_plan: true", "if: plan", line)


def conditions(line):
    def named(m):
        return m[0] if m[2].startswith(("config.", "allowed.", "plan")) else f"{m[1]}allowed.{m[2]}"
    return re.sub(rf"(\bif: )({WORD}(?:\.{WORD})*)(?=[,}}\s]|$)", named, line)


# A clause whose values are amounts or fields, in one line, with at most one level of braces within.
FLOW = re.compile(r"\b(grants|consumes|quotas): \{((?:[^{}]|\{[^{}]*\})*)\}")
SOURCES = {"grants": "product", "consumes": "instance", "quotas": "plan"}


def values(source, text):
    text = re.sub(rf"((?:^|[,{{] ?)(?:{WORD}|\"[^\"]*\"): )({WORD})(?=[,}}]|$)", lambda m: m[1] + amount(source, m[2]), text)
    return re.sub(r"(\bif: )\"?\{product\.(\w+)\}\"?", r"\1allowed.\2", text)


def fields(line):
    line = FLOW.sub(lambda m: f"{m[1]}: {{{values(SOURCES[m[1]], m[2])}}}", line)
    line = re.sub(rf"(\bcredit: )({WORD})(?=[,}}\]])", lambda m: m[1] + place("product", m[2]), line)
    return re.sub(rf"(\bseller: \{{.*micros: )({WORD})", lambda m: m[1] + place("product", m[2]), line)


def moved(text):
    """Rewrites the lines of a text. A clause of several lines ends where the indentation ends."""
    out, clause = [], None
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip(" -"))
        if clause and line.strip() and indent <= clause[1]:
            clause = None
        opened = re.match(r"(\s*)(?:- )?(grants|consumes|quotas|tokens|redeem|watch|split|buy):\s*(#.*)?$", line)
        if clause and clause[0] in SOURCES and not opened:
            line = re.sub(rf"^(\s+(?:{WORD}|\"[^\"]*\"): )({WORD})(\s*(?:#.*)?)$",
                          lambda m: m[1] + amount(SOURCES[clause[0]], m[2]) + m[3], line)
            line = re.sub(rf"(\bamount: )({WORD})(?=[,}}])", lambda m: m[1] + amount("product", m[2]), line)
        if clause and clause[0] == "tokens":
            line = re.sub(r"^(\s+)live: ", r"\1at_most: ", line)
            line = re.sub(r"^(\s+)effect: ", r"\1run: ", line)
            line = re.sub(r"^(\s+if: )\"(?!allowed\.)", r'\1"allowed.', line)
        if opened:
            clause = (opened[2], len(opened[1]))
        out.append(fields(conditions(limits(times(line)))))
    return "\n".join(out)


def price_of(item):
    """Rewrites the only price of a product, whose text may have several lines."""
    price = re.search(r"(?:(?<=[{,] )|(?<=[{,])|(?<=    ))price: (\d+|\"\$\{[^}]*\}\")", item)
    if not price:
        return re.sub(r"\n +billing_interval: \w+(?=\n|$)", "", item)
    interval = re.search(r"\bbilling_interval: (\w+)", item)
    known = re.search(r"\bstripe_price_id: ([\w-]+)", item)
    written = f"prices: {{{interval[1] if interval else 'once'}: {{amount: {price[1]}{', id: ' + known[1] if known else ''}}}}}"
    item = item.replace(price[0], written, 1)
    for gone in [interval, known]:
        if gone:
            text = re.escape(gone[0])
            item = re.sub(rf"\n +{text}(?=\n|$)|,\s*{text}|{text},\s*|{text}", "", item, count=1)
    return item.replace(", metadata: {}", "")


def products_of(text):
    """Rewrites the prices and unlimited values of the products of a catalog."""
    head, mark, products = text.partition("\nproducts:\n")
    head = re.sub(r"min: -1\b", "unlimited: true", head)
    head = head.replace("default: -1, ", "default: unlimited, ")
    items = re.split(r"\n(?=  - )", products)
    return head + mark + "\n".join(re.sub(r"(\w+): -1\b", r"\1: unlimited", price_of(item)) for item in items)


def policies_of(text):
    """Splits the clause `business` off a catalog."""
    lines, kept, own = text.split("\n"), [], []
    inside = False
    for line in lines:
        if re.match(r"business:", line):
            inside, line = True, line.replace("business:", "policies:", 1)
        elif inside and (not line.strip() or not line.startswith(" ")):
            inside = False
            # The line after the clause would be the second empty one.
            if not line.strip() and kept and not kept[-1].strip():
                continue
        (own if inside else kept).append(line)
    return "\n".join(kept), "\n".join(own)


def main():
    for name in sys.argv[1:]:
        file = Path(name)
        text = moved(file.read_text())
        if file.name == "catalog.yml":
            text = products_of(text)
            text, own = policies_of(re.sub(r"(?m)^on:", "reactions:", text))
            if own:
                beside = file.with_name("business.yml")
                head, rest = "", ""
                if beside.exists():
                    lines = beside.read_text().split("\n")
                    count = next(i for i, line in enumerate(lines) if not line.startswith("#"))
                    # The first comment may belong to the first clause of the file.
                    count = min(count, 1) if lines[0].startswith("# yaml-language-server") else 0
                    head, rest = "\n".join(lines[:count]), "\n".join(lines[count:])
                else:
                    schema = next((l for l in text.split("\n") if l.startswith("# yaml-language-server")), "")
                    head = schema.replace("catalog.json", "business.json")
                beside.write_text("\n".join(part for part in [head, own.rstrip(), rest.rstrip()] if part) + "\n")
        file.write_text(text)


if __name__ == "__main__":
    main()
