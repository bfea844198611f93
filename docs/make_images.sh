#!/usr/bin/env bash
# Makes docs/images again, from simulated data only: `docs/make_images.sh`, or with another barograph: BAROGRAPH=barograph
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

barograph=${BAROGRAPH:-$PWD/../.venv/bin/barograph}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset "${!BAROGRAPH_@}"

# Seed 6 brings rain on the second of two days, half an hour without reports on the first, and an impossible value.
"$barograph" simulate "$folder" --stations 1 --days 4 --seed 6 --fault gap --fault impossible >/dev/null
cd "$folder"
"$barograph" run >/dev/null 2>&1
"$barograph" plot IICHTE19 2024-10-02 2024-10-03 --output "$OLDPWD/images/two-days.png" \
    --variables temperature,dew_point,mean_wind_speed,wind_gust,precipitation_rate,precipitation_acc
