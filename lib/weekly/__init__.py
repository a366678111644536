"""The weekly run: execution of the notebooks, its folder, command lines."""

import sys

# jsonschema, which nbformat imports, would spend 1.5 s on a grammar of addresses that no notebook
# has; it does without where JupyterLab, which brings the grammar, is not installed
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
