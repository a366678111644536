"""A run's folder with small tables as the contract of the exhibits says, for tests of what is said
about them.
"""

import json

import pandas as pd

from lib.exhibits.plan import read_plan
from lib.exhibits.tables import column_formats
from lib.exhibits.translations import translations
from lib.report.documents import Source, document
from lib.report.house import read_house
from lib.report.html import document_page
from lib.report.manifest import Manifest, SectionRecord

SECTIONS = {
    "01_market_recap": ["01", "02", "03", "04", "05"],
    "02_ai_themes": ["06", "07"],
    "03_gp_rotation": ["08", "09", "10"],
    "04_absolute_return_etf": ["11", "12", "13"],
    "05_global_allocation": ["14", "15", "16", "17"],
}
METRICS = [
    "annual_return",
    "annual_volatility",
    "sharpe",
    "max_drawdown",
    "calmar",
    "ytd_return",
    "week_return",
]


def _named(rows, *columns):
    return pd.DataFrame(rows, columns=["symbol", "name", "name_en", *columns])


def _funds(*rows):
    return _named([(*row[:3], "group", row[3]) for row in rows], "group", "week_return")


def _measured(strategy, benchmark, net):
    return pd.DataFrame(
        {"metric": METRICS, "strategy": strategy, "benchmark": benchmark, "net": net}
    )


def _nav(*drawdowns):
    dates = ["2022-09-30", "2025-06-12", "2025-06-13"]
    return pd.DataFrame(
        {"date": dates, "nav": [1.0, 1.5, 1.4], "drawdown": drawdowns, "benchmark": [1.0, 1.1, 1.0]}
    )


def tables():
    """Return a table for every exhibit, by the stem of its file."""
    themes = [
        "gain_peak",
        "gain_cumulative",
        "previous_score",
        "latest_score",
        "change",
        "score_source",
    ]
    return {
        "fig01_global_assets": _named(
            [
                ("399006.SZ", "创业板指", "ChiNext", "a_share", 0.0022, "fraction"),
                ("000688.SH", "科创50", "STAR 50", "a_share", -0.0189, "fraction"),
                ("SPX", "标普500", "S&P 500", "global_equity", -0.0039, "fraction"),
                ("DAX", "德国DAX", "DAX", "global_equity", -0.0324, "fraction"),
                (
                    "US10Y",
                    "美国10年期国债收益率",
                    "US 10Y Treasury yield",
                    "yield",
                    -8.6,
                    "basis points",
                ),
                ("BRENT", "布伦特原油", "Brent crude", "commodity", 0.1173, "fraction"),
                ("GC", "COMEX黄金", "COMEX gold", "commodity", 0.0327, "fraction"),
                ("DXY", "美元指数", "US Dollar Index", "fx", -0.0107, "fraction"),
            ],
            *("group", "change", "unit"),
        ),
        "fig02_us_inflation": pd.DataFrame(
            {
                "series": ["US_CPI_YOY", "US_CORE_CPI_YOY", "US_PPI_YOY"],
                "actual": [2.4, 2.8, 2.6],
                "consensus": [2.5, 2.9, 2.6],
                "previous": [2.3, 2.8, 2.5],
            }
        ),
        "fig03_broad_etf": _funds(
            ("159915.SZ", "创业板ETF", "ChiNext ETF", 0.0015),
            ("588000.SH", "科创50ETF", "STAR 50 ETF", -0.0239),
        ),
        "fig04_sector_etf": _funds(
            ("512400.SH", "有色金属ETF", "Nonferrous Metals ETF", 0.0343),
            ("561360.SH", "石油ETF", "Oil & Gas ETF", 0.0299),
            ("515170.SH", "食品饮料ETF", "Food & Beverage ETF", -0.0444),
        ),
        "fig05_smartbeta_etf": _funds(
            ("159606.SZ", "中证500成长ETF", "CSI 500 Quality Growth ETF", 0.0109),
            ("588020.SH", "科创成长50ETF", "STAR Growth 50 ETF", -0.0154),
        ),
        "fig06_strongest_themes": _named(
            [
                (
                    "931152.CSI",
                    "创新药",
                    "Innovative Drugs",
                    0.3689,
                    0.30,
                    0.24,
                    0.19,
                    -0.05,
                    "constituents",
                ),
                (
                    "931160.CSI",
                    "通信设备",
                    "Communication Equipment",
                    0.3276,
                    0.29,
                    0.06,
                    0.0,
                    -0.06,
                    "constituents",
                ),
                (
                    "000819.SH",
                    "有色金属",
                    "Non-ferrous Metals",
                    0.2032,
                    0.19,
                    0.22,
                    0.28,
                    0.06,
                    "constituents",
                ),
            ],
            *themes,
        ),
        "fig07_weakest_themes": _named(
            [
                ("399987.SZ", "中证酒", "Liquor", 0.01, -0.08, -0.02, -0.07, -0.05, "constituents"),
                (
                    "399324.SZ",
                    "深证红利",
                    "SZSE Dividend",
                    0.02,
                    -0.02,
                    0.01,
                    0.02,
                    0.01,
                    "constituents",
                ),
            ],
            *themes,
        ),
        "fig08_gp_nav": pd.DataFrame(
            {
                "date": ["2022-09-30", "2025-06-13"],
                "strategy": [1.0, 1.9],
                "benchmark": [1.0, 1.1],
                "net": [1.0, 1.8],
            }
        ),
        "fig09_gp_performance": _measured(
            [0.2898, 0.1848, 1.57, -0.1963, 1.48, 0.1677, 0.0203],
            [0.0465, 0.1667, 0.28, -0.2546, 0.18, 0.0258, 0.01],
            [0.2700, 0.1849, 1.46, -0.1990, 1.36, 0.1600, 0.0201],
        ),
        "fig10_gp_holdings": pd.DataFrame(
            [
                ["2025-06-06", "钢铁", "机械设备", "Steel", "Machinery"],
                ["2025-06-13", "钢铁", "电子", "Steel", "Electronics"],
            ],
            columns=["week", "rank1", "rank2", "rank1_en", "rank2_en"],
        ),
        "fig11_absolute_nav": _nav(0.0, -0.03, -0.04),
        "fig12_absolute_performance": _measured(
            [0.0648, 0.0384, 1.69, -0.0465, 1.39, 0.0431, 0.0036],
            [0.0400, 0.0200, 2.00, -0.0300, 1.33, 0.0200, 0.0030],
            [0.0630, 0.0384, 1.64, -0.0470, 1.34, 0.0425, 0.0036],
        ),
        "fig13_absolute_weights": pd.DataFrame(
            [
                ["equity", "中证红利ETF", "CSI Dividend ETF", "515080.SH", 0.034, 0.0],
                ["bond", "十年国债ETF", "10Y Treasury ETF", "511260.SH", 0.4341, 0.4345],
                ["bond", "城投债ETF", "Municipal Bond ETF", "511220.SH", 0.4341, 0.4345],
                ["commodity", "豆粕ETF", "Soybean Meal ETF", "159985.SZ", 0.0978, 0.131],
            ],
            columns=["asset_class", "name", "name_en", "symbol", "weight", "previous_weight"],
        ),
        "fig14_global_nav": _nav(0.0, 0.0, -0.01),
        "fig15_global_performance": _measured(
            [0.0729, 0.0484, 1.51, -0.0644, 1.13, -0.0304, 0.0041],
            [0.05, 0.08, 0.63, -0.30, 0.17, 0.04, 0.0101],
            [0.07, 0.0484, 1.45, -0.0650, 1.08, -0.0310, 0.0041],
        ),
        "fig16_global_weights": pd.DataFrame(
            {
                "date": ["2025-04-30", "2025-05-30"],
                "CN10Y": [0.3, 0.4],
                "SPX": [0.02, 0.005],
                "USDCNY": [0.2, 0.2],
            }
        ),
        "fig17_class_risk_budgets": pd.DataFrame(
            {
                "asset_class": ["bond", "fx"],
                "budget": [0.6, 0.4],
                "risk_contribution": [0.5, 0.5],
                "weight": [0.7, 0.2],
            }
        ),
        "s14_falling_after_gain": pd.DataFrame(
            {
                "score": ["falling", "rising", "difference"],
                "cases": [400, 350, 750],
                "hit_rate": [0.56, 0.52, 0.04],
                "low": [0.5, 0.45, -0.03],
                "high": [0.62, 0.6, 0.1],
                "excess_return": [-0.01, 0.0, -0.01],
            }
        ),
        "s26_deflated_sharpe": pd.DataFrame(
            {"measure": ["t_stat", "probability"], "value": [0.31, 0.62]}
        ),
    }


def manifest(as_of="2025-06-13", **changes):
    """Return the manifest of a run that went well."""
    values = dict(
        as_of=as_of,
        requested_as_of=as_of,
        stale_sessions=0,
        week={"first": as_of, "last": as_of},
        source="sample",
        source_label={"en": "synthetic sample", "zh": "合成样本数据"},
        synthetic=True,
        language="en",
        status="ok",
        sections=[
            SectionRecord(name=name, status="ok", fingerprint="f", exhibits=exhibits)
            for name, exhibits in SECTIONS.items()
        ],
        parameters={},
        fingerprint="0" * 32,
        versions={"python": "3.11"},
    )
    return Manifest(**values | changes)


def notebook_of(number):
    """Return the notebook of an exhibit; supplements of the tables here are of 02 and 03."""
    supplements = {"s14": "02_ai_themes", "s26": "03_gp_rotation"}
    own = (name for name, numbers in SECTIONS.items() if number in numbers)
    return supplements.get(number) or next(own, "06_weekly_report")


def write_run(folder, made=None, **changes):
    """Write tables, exhibits' records and manifest of a run; return its folder."""
    (folder / "tables").mkdir(parents=True)
    (folder / "exhibits").mkdir()
    for stem, table in (tables() if made is None else made).items():
        table.to_csv(folder / "tables" / f"{stem}.csv", index=False)
        number = stem.split("_")[0].removeprefix("fig")
        synthetic = changes.get("synthetic", True)
        record = {
            "number": number,
            "slug": stem.split("_", 1)[1],
            "notebook": notebook_of(number),
            "title": f"Title {number}",
            "caption": f"Caption {number}",
            "alt": f"Picture {number}",
            "notes": [f"Note of section {notebook_of(number)}"],
            "source": "a source",
            "synthetic": synthetic,
            "data_date": folder.name,
            "formats": column_formats(table, {}),
            "show_table": True,
            "files": [f"tables/{stem}.csv"],
        }
        (folder / "exhibits" / f"fig{number}_{record['slug']}.json").write_text(json.dumps(record))
    manifest(**{"as_of": folder.name} | changes).write(folder)
    return folder


def document_of(folder, language="en", kind="weekly", made=None, languages=None):
    """Return a document of a run's folder as plain values."""
    made = made or manifest(as_of=folder.name, language=language)
    t, house = translations(language), read_house()
    source = Source(folder, folder, read_plan(), made, house, t, languages or (language,))
    return document(source, kind)


def page_of(folder, language="en", kind="weekly", **changes):
    """Return the page of a document."""
    return document_page(
        document_of(folder, language, kind, **changes), folder, translations(language)
    )
