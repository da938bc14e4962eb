"""Prints the parameters of every endpoint of Stripe, from the annotations of the installed package `stripe`.

A line is `METHOD PATH JSON`, sorted by path. The JSON object has the parameters by name; a required one has `!` behind its name. A
value is a type: "text", "int", "number", "bool", "file"; "=a|b" for one of these words; an object with its members, of which "*" stands for
any name; a list with the type of its members; or {"|": [TYPES]} for one of several types. Stripe takes an empty text for many parameters,
to unset them: that is not noted.
"""

import ast
import functools
import json
import pathlib
import re

import stripe

PACKAGE = pathlib.Path(stripe.__file__).parent
PLAIN = {"str": "text", "int": "int", "float": "number", "Decimal": "number", "bool": "bool"}
PLAIN |= {"Any": "file", "object": "text"}


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def members(node):
    """The annotations by name, if a statement defines a TypedDict."""
    if isinstance(node, ast.ClassDef):
        found = [(line.target.id, line.annotation) for line in node.body if isinstance(line, ast.AnnAssign)]
        return node.name, found
    # TypedDict("Name", {"from": str}), for names that are words of Python.
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.value.args) == 2:
        fields = node.value.args[1]
        return node.targets[0].id, [(key.value, value) for key, value in zip(fields.keys, fields.values)]
    return None


@functools.cache
def classes_of(module):
    """The TypedDicts of a module by name: another module may have one of the same name."""
    path = PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
    return dict(found for found in map(members, parse(path).body) if found is not None)


def name_of(node):
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def one_of(types):
    """The union of types. An empty text only unsets, and any text beside words stands for words of later versions."""
    flat = [kind for outer in types for kind in (outer["|"] if isinstance(outer, dict) and "|" in outer else [outer])]
    lists = [kind[1:].split("|") for kind in flat if isinstance(kind, str) and kind.startswith("=")]
    words = sorted({word for words in lists for word in words if word})
    rest = []
    for kind in flat:
        if not (isinstance(kind, str) and (kind.startswith("=") or words and kind == "text")) and kind not in rest:
            rest.append(kind)
    rest += ["=" + "|".join(words)] if words else []
    return rest[0] if len(rest) == 1 else {"|": rest}


def type_of(node, module, within):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return type_of(ast.parse(node.value, mode="eval").body, module, within)
    if isinstance(node, ast.BinOp):
        return one_of([type_of(node.left, module, within), type_of(node.right, module, within)])
    if isinstance(node, ast.Subscript):
        kind, inner = name_of(node.value), node.slice
        inners = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if kind in ("NotRequired", "Optional"):
            return type_of(inner, module, within)
        if kind == "List":
            return [type_of(inner, module, within)]
        if kind == "Dict":
            return {"*": type_of(inners[1], module, within)}
        if kind == "UntypedStripeObject":
            return {"*": "text"}
        if kind == "Literal":
            return "=" + "|".join(str(word.value) for word in inners)
        if kind == "Union":
            return one_of([type_of(node, module, within) for node in inners])
    name = name_of(node)
    if name in PLAIN:
        return PLAIN[name]
    if name in classes_of(module) and name not in within:
        return fields_of(name, module, [*within, name])
    raise SystemExit(f"no rule for {ast.dump(node)} within {within}")


def is_optional(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.startswith("NotRequired")
    return isinstance(node, ast.Subscript) and name_of(node.value) == "NotRequired"


def fields_of(name, module, within):
    fields = sorted(classes_of(module)[name], key=lambda field: field[0])
    return {field + ("" if is_optional(node) else "!"): type_of(node, module, within) for field, node in fields}


def given_to(function, modules):
    """The parameters of a call, whose type its module imports."""
    for argument in function.args.args:
        if argument.arg == "params":
            text = ast.unparse(argument.annotation)
            name = next(name for name in re.findall(r"\w+", text) if name in modules)
            return fields_of(name, modules[name], [name])
    return {}


def endpoints(service):
    """The method, path and parameters of each call of a service."""
    imports = [node for node in ast.walk(service) if isinstance(node, ast.ImportFrom)]
    modules = {name.name: node.module for node in imports for name in node.names if node.module.startswith("stripe.params")}
    for function in (node for node in ast.walk(service) if isinstance(node, ast.FunctionDef)):
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and name_of(call.func) in ("_request", "_request_stream"):
                method, path = call.args[0].value, call.args[1]
                # "/v1/prices/{price}".format(price=…)
                path = path.func.value.value if isinstance(path, ast.Call) else path.value
                if path.startswith("/v1/"):
                    yield re.sub(r"\{\w+\}", "{}", path), method.upper(), given_to(function, modules)


found = {}
for path in sorted(PACKAGE.glob("**/*_service.py")):
    for url, method, fields in endpoints(parse(path)):
        # Several methods may call one endpoint: their parameters are one set.
        found.setdefault((url, method), {}).update(fields)
for (url, method), fields in sorted(found.items()):
    print(method, url, json.dumps(fields, separators=(",", ":"), sort_keys=True))
