#!/bin/sh
# Builds the two example plugins outside the tree, as their authors would: with the SDK's headers as
# the only include path.
#
# usage: build.sh OUTDIR [SDK_INCLUDE]
#
# Leaves ram_log.so and counter_machine.so in OUTDIR. CC, CXX and EXTRA_FLAGS are heeded.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
output=$(cd "$1" && pwd)
sdk=$(cd "${2:-$here/../../../sdk/include}" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/ram_log.c" "$here/counter_machine.cc" "$work"
cd "$work"

flags="-O2 -g -Wall -Wextra -Werror -pedantic -fPIC -fvisibility=hidden -shared -Wl,-z,defs ${EXTRA_FLAGS:-}"
# shellcheck disable=SC2086  # flags are words
"${CC:-cc}" -std=c11 $flags -I "$sdk" -o ram_log.so ram_log.c
# shellcheck disable=SC2086
"${CXX:-c++}" -std=c++20 $flags -Wno-missing-field-initializers -I "$sdk" -o counter_machine.so \
  counter_machine.cc

# By rename: a library that is loaded somewhere must never be overwritten in place.
for plugin in ram_log.so counter_machine.so; do
  cp "$plugin" "$output/.$plugin.new"
  chmod 755 "$output/.$plugin.new"
  mv "$output/.$plugin.new" "$output/$plugin"
done
