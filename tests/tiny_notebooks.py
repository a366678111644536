"""Notebooks of a few cells, with the parameters that a run injects."""

import nbformat

HEAD = 'as_of = "latest"\ndata = ""\nout = ""\nlanguage = "en"'


def notebook(folder, name, *sources):
    cells = [nbformat.v4.new_code_cell(HEAD, metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / f"{name}.ipynb")
