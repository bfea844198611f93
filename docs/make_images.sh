#!/usr/bin/env bash
# Makes the pictures of the documentation, in docs/images or in the folder that is given: plots of simulated data, and
# the curve of benchmarks/embedded_curve.csv, which `python -m benchmarks.embedded_curve` measures.
# BAROGRAPH names the command, IMAGES_PYTHON an interpreter with matplotlib; default are those of the checkout's .venv.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
barograph=${BAROGRAPH:-$here/../.venv/bin/barograph}
python=${IMAGES_PYTHON:-$here/../.venv/bin/python}
images=$(realpath "${1:-$here/images}")
feeds=$(mktemp -d)
trap 'rm -rf "$feeds"' EXIT
trap 'cat -- "$feeds"/*.log >&2' ERR
unset "${!BAROGRAPH_@}"
cd "$feeds"

# Seed 6 has rain on the second of the two days, and on the first 25 minutes without reports and an impossible value.
"$barograph" simulate . --stations 1 --days 4 --seed 6 --fault gap --fault impossible >simulate.log
"$barograph" run >run.log 2>&1
"$barograph" plot IICHTE19 2024-10-02 2024-10-03 --output "$images/two-days.png" \
    --variables temperature,dew_point,mean_wind_speed,wind_gust,precipitation_rate,precipitation_acc

"$python" "$here/completeness_picture.py" "$images/completeness.png" >completeness.log 2>&1

cd "$here/.."
"$python" -m benchmarks.embedded_curve --draw "$images/embedded-limit.png"
