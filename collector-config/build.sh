#!/usr/bin/env bash
# Build the Collector that a builder file describes, and print the path of the binary.
#
#     ./build.sh                               # builder.yaml
#     ./build.sh builder-deduplication.yaml    # the one for deduplication.yaml
#
# It needs Go, and the module proxy the first time. The binary is kept below ${XDG_CACHE_HOME:-~/.cache}, named after
# what it was made from, and taken from there until the builder file, this script or the version of Go changes.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
builder=${1:-$here/builder.yaml}
[[ -f $builder ]] || builder=$here/$builder
if [[ ! -f $builder ]]; then
  echo "build.sh: there is no builder file $builder" >&2
  exit 2
fi
if ! command -v go >/dev/null; then
  echo "build.sh: go is not installed: https://go.dev/dl (1.25 or newer)" >&2
  exit 3
fi

of_dist() { sed -n "s/^  $1: //p" "$builder" | head -1; }
name=$(of_dist name)
release=$(of_dist version)
made_from=$(cat "$builder" "${BASH_SOURCE[0]}" <(go env GOVERSION GOOS GOARCH) | sha256sum | cut -c1-16)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/activitylog/otelcol/$made_from
binary=$folder/$name

if [[ ! -x $binary ]]; then
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  sed "s|^dist:|dist:\n  output_path: $scratch/out|" "$builder" >"$scratch/builder.yaml"
  echo "build.sh: building $name $release; a first build fetches hundreds of modules and takes minutes" >&2
  (
    cd "$scratch"
    CGO_ENABLED=0 go run "go.opentelemetry.io/collector/cmd/builder@v$release" --config builder.yaml
  ) >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
  # In place at once: another build of the same never finds half a binary.
  mkdir -p "$folder"
  mv "$scratch/out/$name" "$folder/.$name.$$"
  mv "$folder/.$name.$$" "$binary"
fi
echo "$binary"
