"""Which lines of a notebook only label or note: they make text and compute nothing."""

import ast

#: methods of the run that return text
TEXT_CALLS = {"run.t", "run.note", "run.notes", "run.labels", "run.t.date", "run.t.percent"}
#: arguments of an exhibit or chart that are text
TEXT_ARGUMENTS = {"formats", "words", "values", "notes", "labels"}


def label_lines(cells: list[str]) -> tuple[int, int]:
    """Return how many lines of code cells only label or note, and how many lines they have.

    Imports count as neither. Lines that only label or note are

    * statements whose value is text: a call of ``TEXT_CALLS``, a list, mapping, comprehension or
      condition of such, and what is added to a list of notes;
    * mappings, lists and texts given a name that is used in such statements and arguments only;
    * arguments of ``TEXT_ARGUMENTS`` that have lines of their own.
    """
    tree = ast.parse("\n\n".join(cells))
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    textual = [node for node in statements if _is_text(_value(node))]
    while True:
        more = [
            node
            for node in statements
            if node not in textual and _only_used_in_text(node, tree, textual)
        ]
        if not more:
            break
        textual += more
    lines = {line for node in textual for line in _lines(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            lines |= _argument_lines(node)
    imports = {
        line
        for node in statements
        if isinstance(node, ast.Import | ast.ImportFrom)
        for line in _lines(node)
    }
    source = "\n\n".join(cells).splitlines()
    code = {
        number
        for number, line in enumerate(source, 1)
        if line.strip() and not line.lstrip().startswith("#")
    } - imports
    return len(lines & code), len(code)


def _lines(node: ast.AST) -> range:
    return range(node.lineno, node.end_lineno + 1)


def _value(node: ast.stmt) -> ast.expr | None:
    """Return what a statement assigns, adds, returns or calls."""
    value = getattr(node, "value", None)
    if isinstance(node, ast.Expr) and isinstance(value, ast.Call):
        added = isinstance(value.func, ast.Attribute) and value.func.attr in ("append", "extend")
        return value.args[0] if added and value.args else value
    return value


def _is_text(node: ast.expr | None) -> bool:
    """Return whether an expression is text for readers, or a collection of such texts."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in TEXT_CALLS
    if isinstance(node, ast.List | ast.Tuple):
        return any(_is_text(each) for each in node.elts)
    if isinstance(node, ast.Dict):
        return any(_is_text(each) for each in node.values)
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        return _is_text(node.elt)
    if isinstance(node, ast.DictComp):
        return _is_text(node.value)
    if isinstance(node, ast.IfExp):
        return _is_text(node.body) or _is_text(node.orelse)
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.Subscript) and _is_text(node.value)


def _is_collection(node: ast.expr | None) -> bool:
    """Return whether an expression is a mapping, a list or a text written in place."""
    if isinstance(node, ast.BinOp):
        return _is_collection(node.left) or _is_collection(node.right)
    if isinstance(node, ast.IfExp):
        return _is_collection(node.body) or _is_collection(node.orelse)
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("dict", "dict.fromkeys", "list")
    text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    kinds = ast.Dict | ast.DictComp | ast.List | ast.ListComp | ast.JoinedStr
    return text or isinstance(node, kinds)


def _only_used_in_text(node: ast.stmt, tree: ast.Module, textual: list[ast.stmt]) -> bool:
    """Return whether a statement names a collection that only text uses."""
    if not isinstance(node, ast.Assign | ast.AugAssign) or not _is_collection(node.value):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = {
        each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)
    }
    within = {id(each) for statement in textual for each in ast.walk(statement)}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call):
            for argument in _text_arguments(call):
                within |= {id(each) for each in ast.walk(argument)}
    loads = [
        each
        for each in ast.walk(tree)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load) and each.id in names
    ]
    return bool(loads) and all(id(each) in within for each in loads)


def _text_arguments(call: ast.Call) -> list[ast.expr]:
    if ast.unparse(call.func) == "positions":
        return []  # its values are data
    named = [each.value for each in call.keywords if each.arg in TEXT_ARGUMENTS]
    return named + [each for each in call.args if _is_text(each)]


def _argument_lines(call: ast.Call) -> set[int]:
    """Return the lines that textual arguments of a call have for themselves."""
    textual = {id(each) for each in _text_arguments(call)}
    others = [
        each for each in [*call.args, *(k.value for k in call.keywords)] if id(each) not in textual
    ]
    taken = {line for each in others for line in _lines(each)} | {call.func.lineno}
    return {line for each in _text_arguments(call) for line in _lines(each) if line not in taken}
