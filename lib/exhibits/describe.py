"""Plain-language descriptions of formulas, made from the phrases of the translations."""

from __future__ import annotations

from gplearn.functions import _Function

from lib.exhibits.translations import Translations
from lib.models.gp.inputs import RECIPES
from lib.models.gp.operators import OPERATORS
from lib.models.gp.programs import from_text


def describe_formula(formula: str, sign: int, t: Translations) -> str:
    """Describe a formula in the translations' language.

    Parameters
    ----------
    formula : str
        Such as ``sub(ts_mean_20(returns), close_z)``.
    sign : int
        Which values are good, +1 high or -1 low.
    t : Translations
        ``formulas.operator`` has a phrase per operator family with ``{x}``, ``{y}`` for the
        arguments and ``{d}``, ``{n}`` for the windows; ``formulas.input`` one per input.

    Raises
    ------
    ModelError
        The formula cannot be parsed.
    ParameterError
        An operator or input does not have a phrase.
    """
    names = list(RECIPES)
    stack: list[str] = []
    phrase = ""
    for node in reversed(from_text(formula, names)):
        if isinstance(node, _Function):
            operator = OPERATORS[node.name]
            arguments = [stack.pop() for _ in range(operator.arity)]
            values = dict(zip("xy", arguments, strict=False))
            values |= dict(zip("dn", map(str, operator.windows), strict=False))
            phrase = t(f"formulas.operator.{operator.family}", **values)
            # brackets keep the phrase together inside a longer one
            stack.append(t("formulas.nested", x=phrase))
        else:
            phrase = t(f"formulas.input.{names[node]}")
            stack.append(phrase)
    return t("formulas.sign.high" if sign > 0 else "formulas.sign.low", x=phrase)
