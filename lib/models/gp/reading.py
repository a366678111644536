"""A plain reading of formulas, in English and Chinese."""

from __future__ import annotations

from gplearn.functions import _Function

from lib.models.gp.operators import OPERATORS
from lib.models.gp.programs import from_text

#: family -> phrases by language with {x}, {y}, {d}, {n}
OPERATOR_PHRASES = {
    "add": ("{x} plus {y}", "{x}加{y}"),
    "sub": ("{x} minus {y}", "{x}减{y}"),
    "mul": ("{x} times {y}", "{x}乘{y}"),
    "div": ("{x} over {y}", "{x}除以{y}"),
    "max": ("the larger of {x} and {y}", "{x}与{y}的较大者"),
    "min": ("the smaller of {x} and {y}", "{x}与{y}的较小者"),
    "log": ("the log size of {x}", "{x}绝对值的对数"),
    "sqrt": ("the signed root of {x}", "{x}的带符号平方根"),
    "neg": ("the opposite of {x}", "{x}的相反数"),
    "abs": ("the size of {x}", "{x}的绝对值"),
    "sigmoid": ("the squashed {x}", "{x}的S形变换"),
    "sign": ("the sign of {x}", "{x}的符号"),
    "rank": ("the sector rank of {x}", "{x}的行业排名"),
    "rank_sub": ("the sector rank of {x} minus that of {y}", "{x}与{y}的行业排名之差"),
    "rank_div": ("the sector rank of {x} over that of {y}", "{x}与{y}的行业排名之比"),
    "cs_zscore": ("{x} against the sectors' mean in standard deviations", "{x}的行业截面标准分"),
    "cs_demean": ("{x} less the sectors' mean", "{x}减行业均值"),
    "delay": ("{x} {d} sessions ago", "{d}日前的{x}"),
    "delta": ("the {d}-session change of {x}", "{x}的{d}日变化"),
    "pct_change": ("the {d}-session relative change of {x}", "{x}的{d}日变化率"),
    "ts_sum": ("the {d}-session sum of {x}", "{x}的{d}日之和"),
    "ts_mean": ("the {d}-session mean of {x}", "{x}的{d}日均值"),
    "ts_std": ("the {d}-session volatility of {x}", "{x}的{d}日波动"),
    "ts_zscore": ("{x} against its {d}-session mean in standard deviations", "{x}的{d}日标准分"),
    "ts_min": ("the {d}-session low of {x}", "{x}的{d}日最低"),
    "ts_max": ("the {d}-session high of {x}", "{x}的{d}日最高"),
    "decay_linear": (
        "the {d}-session mean of {x}, recent sessions heavier",
        "{x}的{d}日线性衰减均值",
    ),
    "ts_cov": ("the {d}-session covariance of {x} and {y}", "{x}与{y}的{d}日协方差"),
    "ts_corr": ("the {d}-session correlation of {x} and {y}", "{x}与{y}的{d}日相关系数"),
    "sub_pos_decay_linear": (
        "the recent {d}-session excess of {x} over {y}",
        "{x}超出{y}部分的{d}日衰减均值",
    ),
    "ts_rank": ("where {x} stands in its last {d} sessions", "{x}在近{d}日中的位置"),
    "ts_argmin": ("the age of the {d}-session low of {x}", "{x}的{d}日最低点距今时间"),
    "ts_argmax": ("the age of the {d}-session high of {x}", "{x}的{d}日最高点距今时间"),
    "ts_skew": ("the {d}-session skewness of {x}", "{x}的{d}日偏度"),
    "ts_rank_corr": (
        "the {d}-session rank correlation of {x} and {y}",
        "{x}与{y}的{d}日秩相关系数",
    ),
    "group_asc_sort_avg": (
        "the mean of {x} on the {n} of {d} sessions when {y} was lowest",
        "近{d}日里{y}最低的{n}日的{x}均值",
    ),
    "group_desc_sort_avg": (
        "the mean of {x} on the {n} of {d} sessions when {y} was highest",
        "近{d}日里{y}最高的{n}日的{x}均值",
    ),
    "group_diff_sort_avg": (
        (
            "the mean of {x} on the {n} of {d} sessions when {y} was highest, less that when it was"
            " lowest"
        ),
        "近{d}日里{y}最高与最低各{n}日的{x}均值之差",
    ),
}
INPUT_PHRASES = {
    "returns": ("the return", "日收益"),
    "open": ("the open against the close", "开盘相对收盘"),
    "high": ("the high against the close", "最高相对收盘"),
    "low": ("the low against the close", "最低相对收盘"),
    "volume_20": ("volume against its 20-session mean", "成交量相对20日均量"),
    "volume_60": ("volume against its 60-session mean", "成交量相对60日均量"),
    "amount_20": ("turnover value against its 20-session mean", "成交额相对20日均值"),
    "turnover": ("the turnover rate", "换手率"),
    "earnings_yield": ("the earnings yield", "盈利收益率"),
    "book_yield": ("the book yield", "市净率倒数"),
    "close_z": ("the close's 60-session z-score", "收盘60日标准分"),
    "open_z": ("the open's 60-session z-score", "开盘60日标准分"),
    "high_z": ("the high's 60-session z-score", "最高60日标准分"),
    "low_z": ("the low's 60-session z-score", "最低60日标准分"),
    "vwap_z": ("the average price's 60-session z-score", "均价60日标准分"),
    "volume_z": ("volume's 60-session z-score", "成交量60日标准分"),
    "amount_z": ("turnover value's 60-session z-score", "成交额60日标准分"),
    "turnover_z": ("the turnover rate's 60-session z-score", "换手率60日标准分"),
    "volume_mean_20_z": ("the z-score of 20-session mean volume", "20日均量的60日标准分"),
    "volume_mean_60_z": ("the z-score of 60-session mean volume", "60日均量的60日标准分"),
    "earnings_yield_z": ("the earnings yield's 60-session z-score", "盈利收益率60日标准分"),
    "book_yield_z": ("the book yield's 60-session z-score", "市净率倒数60日标准分"),
    "momentum_20": ("20-session momentum", "20日动量"),
    "momentum_60": ("60-session momentum", "60日动量"),
    "momentum_120_20": ("120-session momentum without the last 20", "120日动量（剔除近20日）"),
    "momentum_250_20": ("250-session momentum without the last 20", "250日动量（剔除近20日）"),
    "residual_return_20": (
        "the 20-session market-residual return over its noise",
        "20日特质收益（按自身波动标准化）",
    ),
    "residual_return_120": (
        "the 120-session market-residual return over its noise",
        "120日特质收益（按自身波动标准化）",
    ),
    "beta_120": ("the 120-session market beta", "120日贝塔"),
    "sharpe_250": ("the 250-session return over volatility", "250日收益波动比"),
    "volatility_20": ("20-session volatility", "20日波动率"),
    "volatility_120": ("120-session volatility", "120日波动率"),
    "volatility_20_120": ("20-session volatility against that of 120", "20日波动率相对120日"),
    "skew_60": ("the 60-session skewness of returns", "60日收益偏度"),
    "volume_5_60": ("5-session mean volume against that of 60", "5日均量相对60日均量"),
    "volume_20_120": ("20-session mean volume against that of 120", "20日均量相对120日均量"),
    "volume_60_250": ("60-session mean volume against that of 250", "60日均量相对250日均量"),
    "amplitude_20_60": ("the 20-session daily range against that of 60", "20日振幅相对60日振幅"),
    "price_volume_corr_20": ("the 20-session correlation of price and volume", "20日量价相关系数"),
    "return_volume_corr_20": (
        "the 20-session correlation of return and volume change",
        "20日收益与量变相关系数",
    ),
    "return_volume_corr_60": (
        "the 60-session correlation of return and volume change",
        "60日收益与量变相关系数",
    ),
    "high_distance_60": ("the distance to the 60-session high", "距60日高点的幅度"),
    "high_distance_250": ("the distance to the 250-session high", "距250日高点的幅度"),
    "overnight_return_20": ("the 20-session mean overnight return", "20日平均隔夜收益"),
    "close_in_range_20": (
        "the 20-session mean place of the close in the day's range",
        "20日收盘在日内区间的平均位置",
    ),
}
SIDES = {1: ("High is good: {x}", "越高越好：{x}"), -1: ("Low is good: {x}", "越低越好：{x}")}
#: keep a phrase together inside a longer one
BRACKETS = ("({x})", "（{x}）")
LANGUAGES = ("en", "zh")


def read_formula(formula: str, sign: int, language: str = "en") -> str:
    """Put a formula into words.

    Parameters
    ----------
    formula : str
    sign : int
        Which side is good, +1 high or -1 low.
    language : str
        ``en`` or ``zh``.

    Raises
    ------
    ModelError
        The formula cannot be parsed.
    """
    which = LANGUAGES.index(language)
    names = list(INPUT_PHRASES)
    stack: list[str] = []
    for node in reversed(from_text(formula, names)):
        if not isinstance(node, _Function):
            stack.append(INPUT_PHRASES[names[node]][which])
            continue
        operator = OPERATORS[node.name]
        arguments = [stack.pop() for _ in range(operator.arity)]
        words = dict(zip("xy", arguments, strict=False)) | dict(
            zip("dn", operator.windows, strict=False)
        )
        phrase = OPERATOR_PHRASES[operator.family][which].format(**words)
        stack.append(BRACKETS[which].format(x=phrase))
    text = stack[0].removeprefix(BRACKETS[which][0]).removesuffix(BRACKETS[which][-1])
    return SIDES[sign][which].format(x=text)
