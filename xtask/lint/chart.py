"""Lints and renders the chart with Helm, once for each file of values; prints what is wrong, a line each.

    chart.py CHART VALUES OUT

A file `refused-….yaml` has values that must not render. What renders is written to OUT, a file for each template.
"""

import pathlib
import shutil
import sys

import helm_python as helm

WARNING = 2


def main(chart_folder: str, values_folder: str, out_folder: str) -> None:
    out = pathlib.Path(out_folder)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    print(f"version Helm {helm.helm_sdk_version()}", file=sys.stderr)
    for file in sorted(pathlib.Path(values_folder).glob("*.yaml")):
        values = helm.values_from_yaml(file.read_text())
        must_fail = file.name.startswith("refused-")
        try:
            with helm.Chart.load(chart_folder) as chart:
                rendered = chart.render(values, name="demo", namespace="automations", is_install=True)
        except helm.HelmError as error:
            if not must_fail:
                print(f"{file.name}: {' '.join(str(error).split())}")
            continue
        if must_fail:
            print(f"{file.name}: renders, but must be refused")
            continue
        for message in helm.lint(chart_folder, values, strict=True)["messages"]:
            if message["severity"] >= WARNING:
                print(f"{file.name}: {message['path']}: {' '.join(message['error'].split())}")
        for template, text in rendered.items():
            name = pathlib.PurePosixPath(template).name
            # A template whose condition is false leaves nothing; the notes are no manifest.
            if name.endswith(".yaml") and text.strip():
                (out / f"{file.stem}.{name}").write_text(text)


main(*sys.argv[1:])
